"""Moments at which Ctrl-C and SIGTERM have to wait."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def undisturbed() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back until the end of the block, then let them in.

    Between a process's birth and our note of it they would leave it behind; so would a second Ctrl-C while we stop all.
    """
    if threading.current_thread() is not threading.main_thread():
        # Python's handlers run in the main thread alone.
        yield
        return
    pending: set[int] = set()

    def hold(number: int, _: FrameType | None) -> None:
        pending.add(number)

    before = {number: signal.signal(number, hold) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for held in sorted(pending):
            signal.raise_signal(held)
