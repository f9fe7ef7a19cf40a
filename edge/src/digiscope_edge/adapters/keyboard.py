"""Single keys from the terminal; does nothing where standard input is no terminal, or isn't ours."""

import os
import select
import sys
import termios
import threading
import tty
from collections.abc import Callable, Mapping
from typing import Any, TextIO

import structlog

log = structlog.get_logger()


class Keyboard:
    """Calls the action of each pressed key, on a thread of its own, and leaves the terminal as it was."""

    def __init__(self, actions: Mapping[str, Callable[[], None]], *, stream: TextIO | None = None) -> None:
        self._actions = actions
        self._stream = stream or sys.stdin
        self._fd: int | None = None
        self._saved: list[Any] = []
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._run, name="keyboard", daemon=True)

    @property
    def is_active(self) -> bool:
        return self._fd is not None

    def start(self) -> None:
        if not is_ours(self._stream):
            return
        self._fd = self._stream.fileno()
        self._saved = termios.tcgetattr(self._fd)
        # Not raw: Ctrl-C stays a signal.
        tty.setcbreak(self._fd, termios.TCSANOW)
        self._thread.start()

    def stop(self) -> None:
        os.write(self._wake_write, b"x")
        if self._fd is not None:
            if self._thread is not threading.current_thread():
                self._thread.join()
            termios.tcsetattr(self._fd, termios.TCSANOW, self._saved)
            self._fd = None

    def _run(self) -> None:
        assert self._fd is not None, "started"
        while True:
            ready, _, _ = select.select([self._fd, self._wake_read], [], [])
            if self._wake_read in ready:
                return
            try:
                pressed = os.read(self._fd, 64).decode(errors="ignore")
            except OSError:
                return  # the terminal hung up (SSH gone): the agent goes on without keys
            if not pressed:
                return
            self._press(pressed)

    def _press(self, pressed: str) -> None:
        # An arrow or function key comes as one escape sequence, whose letters mean nothing.
        for key in "" if pressed.startswith("\x1b") else pressed:
            action = self._actions.get(key)
            if action is None:
                continue
            try:
                action()
            except Exception:  # the thread's outermost edge: one failed action must not end the keyboard
                log.exception("key_failed", key=key)


def is_ours(stream: TextIO) -> bool:
    """Return whether single keys can be read: a terminal, with us in front. A background job would be stopped."""
    try:
        return stream.isatty() and os.tcgetpgrp(stream.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False
