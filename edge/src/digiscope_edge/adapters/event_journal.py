"""The agent's own account of what happened, one JSON line an event: what a demo, a bench or a drill checks it by."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import msgspec
import structlog

from digiscope_edge.events import Event
from digiscope_edge.ports import Display

log = structlog.get_logger()


class EventJournal:
    """Display that writes each event down and hands it on.

    `at_s` is the machine's monotonic clock, for durations; `at` its wall clock, for people.
    """

    def __init__(
        self,
        display: Display,
        path: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        now_text: Callable[[], str] = lambda: datetime.now(UTC).isoformat(timespec="milliseconds"),
    ) -> None:
        self._display = display
        self._path = path
        self._clock = clock
        self._now_text = now_text
        self._lock = threading.Lock()
        self._file: BinaryIO | None = None

    def start(self) -> None:
        try:
            self._file = self._path.open("ab", buffering=0)
        except OSError as error:
            log.warning("event_journal_unwritable", path=str(self._path), error=str(error))
        self._display.start()

    def show(self, event: Event) -> None:
        times = {"at_s": self._clock(), "at": self._now_text()}
        line = {"event": type(event).__name__} | times | msgspec.to_builtins(event)
        with self._lock:
            self._write(msgspec.json.encode(line) + b"\n")
        self._display.show(event)

    def stop(self) -> None:
        self._display.stop()
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _write(self, line: bytes) -> None:
        if self._file is None:
            return
        try:
            self._file.write(line)
        except OSError as error:
            # A full disk: captures matter more than the account of them.
            log.warning("event_journal_ended", path=str(self._path), error=str(error))
            self._file.close()
            self._file = None
