"""Waiting for a condition with a deadline: tests never sleep for luck."""

import time
from collections.abc import Callable


def wait_until(predicate: Callable[[], object], *, timeout_s: float = 10.0, what: str) -> None:
    """Return as soon as the predicate is true; fail, naming `what` was awaited, after `timeout_s`."""
    deadline_s = time.monotonic() + timeout_s
    while not predicate():
        if time.monotonic() > deadline_s:
            raise AssertionError(f"waited {timeout_s:g} s in vain: {what}")
        time.sleep(0.01)
