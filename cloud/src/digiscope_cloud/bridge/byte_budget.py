"""Bytes that threads share: who needs more than is left waits."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from digiscope_shared.errors import TransientError


class ByteBudget:
    def __init__(self, total_bytes: int) -> None:
        self._total_bytes = total_bytes
        self._held_bytes = 0
        self._peak_bytes = 0
        self._closed = False
        self._changed = threading.Condition()

    @property
    def peak_bytes(self) -> int:
        """Return the most that was ever held at once."""
        return self._peak_bytes

    @contextmanager
    def holding(self, count_bytes: int) -> Iterator[None]:
        """Wait for `count_bytes` and hold them; TransientError once closed. More than the total is never there."""
        assert count_bytes <= self._total_bytes, f"{count_bytes} of {self._total_bytes} bytes asked for"
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._held_bytes + count_bytes <= self._total_bytes)
            if self._closed:
                raise TransientError("the bridge is stopping")
            self._held_bytes += count_bytes
            self._peak_bytes = max(self._peak_bytes, self._held_bytes)
        try:
            yield
        finally:
            with self._changed:
                self._held_bytes -= count_bytes
                self._changed.notify_all()

    def close(self) -> None:
        """Send everybody away who waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
