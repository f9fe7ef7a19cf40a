"""A queue that takes turns: who puts much in waits behind himself, not before the others."""

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class TurnQueue(Generic[T]):
    """Items of one key come out in their order; of several keys, one each in turn. Safe from many threads."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[T]] = {}
        # The keys that wait, whose turn is next first.
        self._order: deque[str] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, key: str, item: T) -> bool:
        """Return False, and keep nothing, once it is closed."""
        with self._changed:
            if self._closed:
                return False
            if key not in self._waiting:
                self._waiting[key] = deque()
                self._order.append(key)
            self._waiting[key].append(item)
            self._changed.notify()
            return True

    def get(self) -> T | None:
        """Wait for an item; None once it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._order or self._closed)
            if self._closed:
                return None
            key = self._order.popleft()
            item = self._waiting[key].popleft()
            if self._waiting[key]:
                self._order.append(key)
            else:
                del self._waiting[key]
            return item

    def close(self) -> list[T]:
        """Wake who waits, and return what is left."""
        with self._changed:
            self._closed = True
            left = [item for key in self._order for item in self._waiting[key]]
            self._waiting.clear()
            self._order.clear()
            self._changed.notify_all()
            return left
