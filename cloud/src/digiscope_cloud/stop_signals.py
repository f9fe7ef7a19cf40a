"""SIGTERM and Ctrl-C ask a process to end in order."""

import signal
import threading


def stop_event() -> threading.Event:
    """Return an event that those signals set; call from the main thread."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    return stopping
