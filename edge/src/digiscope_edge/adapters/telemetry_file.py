"""Reads a JSON-lines file that a wearable's program appends to; each whole line is taken exactly once.

A line: {"subject": "S-17", "metric": "heart-rate", "value": 72, "unit": "/min", "measured_at": "2026-11-20T08:00:00Z"}
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import structlog

from digiscope_edge.adapters.sqlite_outbox import SqliteOutbox
from digiscope_shared.messages import TelemetryReading

log = structlog.get_logger()

_NOTE: Final = "telemetry_file"
MAX_READ_BYTES: Final = 1024 * 1024


class TelemetryFile:
    """How far it was read is remembered beside the readings; a new or shortened file is read from its start."""

    def __init__(self, path: Path, outbox: SqliteOutbox, *, now_text: Callable[[], str]) -> None:
        self._path, self._outbox, self._now_text = path, outbox, now_text
        inode, _, offset = (outbox.recall(_NOTE) or "0 0").partition(" ")
        self._inode, self._offset = int(inode), int(offset)

    def poll(self) -> int:
        """Take what was appended; returns how many readings. A file that isn't there yet has none."""
        try:
            with self._path.open("rb") as file:
                stat = self._path.stat()
                if stat.st_ino != self._inode or stat.st_size < self._offset:
                    self._inode, self._offset = stat.st_ino, 0
                file.seek(self._offset)
                chunk = file.read(MAX_READ_BYTES)
        except OSError:
            return 0
        # What follows the last line end is still being written.
        lines = chunk.splitlines(keepends=True)
        return sum(self._take(line) for line in lines if line.endswith(b"\n"))

    def _take(self, line: bytes) -> bool:
        self._offset += len(line)
        if not line.strip():
            return False
        try:
            fields = msgspec.json.decode(line)
            reading = msgspec.convert({"measured_at": self._now_text()} | fields, type=TelemetryReading)
        except (msgspec.MsgspecError, TypeError, UnicodeDecodeError) as error:
            log.warning("telemetry_line_refused", end_byte=self._offset, error=str(error))
            return False
        self._outbox.add_reading(reading, remember=(_NOTE, f"{self._inode} {self._offset}"))
        return True
