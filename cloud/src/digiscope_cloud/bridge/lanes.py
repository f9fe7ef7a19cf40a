"""Threads with a queue each: what has one key is handled in order, what has different keys side by side."""

import queue
import threading
import time
import zlib
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Lanes(Generic[T]):
    """The queues need no limit: what may wait in them is bounded by who puts it there, in bytes."""

    def __init__(self, count: int, handle: Callable[[T], None], *, key_of: Callable[[T], str]) -> None:
        self._key_of = key_of
        self._handle = handle
        self._stopped = threading.Event()
        self._queues: list[queue.SimpleQueue[T | None]] = [queue.SimpleQueue() for _ in range(count)]
        self._threads = [
            threading.Thread(target=self._run, args=(waiting,), name=f"lane-{number}", daemon=True)
            for number, waiting in enumerate(self._queues)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def put(self, item: T) -> None:
        """Queue it; after `stop` it is left alone."""
        if not self._stopped.is_set():
            self._queues[zlib.crc32(self._key_of(item).encode("utf-8", "replace")) % len(self._queues)].put(item)

    def stop(self, deadline_s: float) -> bool:
        """Begin nothing new and wait for what runs; False where some still ran at the deadline."""
        self._stopped.set()
        until_s = time.monotonic() + deadline_s
        for waiting in self._queues:
            waiting.put(None)
        for thread in self._threads:
            thread.join(max(0.0, until_s - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def is_alive(self) -> bool:
        return all(thread.is_alive() for thread in self._threads)

    def _run(self, waiting: "queue.SimpleQueue[T | None]") -> None:
        while (item := waiting.get()) is not None and not self._stopped.is_set():
            self._handle(item)
