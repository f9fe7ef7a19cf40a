"""A queue that takes turns: who puts much in waits behind himself, not before the others."""

import threading
from collections import Counter, deque
from typing import Generic, TypeVar

T = TypeVar("T")


class TurnQueue(Generic[T]):
    """Items of one key come out in their order; of several keys, one each in turn. Safe from many threads.

    Of one key, `at_once` at most are out and not yet `done`: the others find a place free, not only a turn.
    """

    def __init__(self, *, at_once: int) -> None:
        self._at_once = at_once
        self._waiting: dict[str, deque[T]] = {}
        # The keys that wait, whose turn is next first.
        self._order: deque[str] = deque()
        self._out: Counter[str] = Counter()
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

    def get(self) -> tuple[str, T] | None:
        """Wait for an item and return it with its key; None once it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._next_key() is not None)
            key = self._next_key()
            if self._closed or key is None:
                return None
            self._order.remove(key)
            self._out[key] += 1
            item = self._waiting[key].popleft()
            if self._waiting[key]:
                self._order.append(key)
            else:
                del self._waiting[key]
            return key, item

    def done(self, key: str) -> None:
        """Make the place of one of its items free."""
        with self._changed:
            self._out[key] -= 1
            if not self._out[key]:
                del self._out[key]
            self._changed.notify()

    def close(self) -> list[T]:
        """Wake who waits, and return what is left."""
        with self._changed:
            self._closed = True
            left = [item for key in self._order for item in self._waiting[key]]
            self._waiting.clear()
            self._order.clear()
            self._changed.notify_all()
            return left

    def _next_key(self) -> str | None:
        return next((key for key in self._order if self._out[key] < self._at_once), None)
