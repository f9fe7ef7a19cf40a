"""AuditLog in a file of JSON lines: one writer at a time, on disk before it counts.

Several processes may share a file; each append takes its lock and reads the last line, so the chain is one.
"""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from digiscope_cloud.audit_log.chain import Head, read_line, seal
from digiscope_cloud.audit_log.entries import Act, AuditEntry
from digiscope_shared.errors import SettingsError, TransientError

_BLOCK_BYTES: Final = 64 * 1024


class FileAuditLog:
    """Mode 0600; the folder is synced too when the file is made, or a power cut could take the whole log."""

    def __init__(self, path: Path, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._path = path
        self._now = now

    def append(self, entry: AuditEntry) -> None:
        """Return when the line is on disk.

        Raises:
            TransientError: the disk failed, or the last line is none of ours: what is to be noted waits for a person.
        """
        try:
            is_new = not self._path.exists()
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                self._append_locked(descriptor, entry)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if is_new:
                _sync_folder(self._path.parent)
        except OSError as error:
            raise TransientError(f"{self._path}: the audit log can't be written: {error}") from error

    def _append_locked(self, descriptor: int, entry: AuditEntry) -> None:
        torn = _cut_torn_line(descriptor)
        head = self._head(descriptor)
        at = self._now().isoformat(timespec="milliseconds")
        if torn:
            line, head = seal(head, _recovery_of(torn), at)
            _write_all(descriptor, line)
        line, _ = seal(head, entry, at)
        _write_all(descriptor, line)

    def _head(self, descriptor: int) -> Head:
        last = _last_line(descriptor)
        if last is None:
            return Head()
        try:
            line = read_line(last)
        except ValueError as error:
            raise TransientError(
                f"{self._path}: the last line {error}; run `digiscope-cloud audit-log verify`"
            ) from error
        return Head(sequence=line.sequence, digest=line.digest)


def raw_lines(path: Path) -> Iterator[bytes]:
    """Yield a log's lines without their newlines; SettingsError where it can't be read."""
    try:
        with path.open("rb") as file:
            for line in file:
                yield line.removesuffix(b"\n")
    except OSError as error:
        raise SettingsError(f"{path}: can't be read: {error.strerror}") from error


def _recovery_of(torn: bytes) -> AuditEntry:
    digest = hashlib.sha256(torn).hexdigest()
    detail = {"torn_bytes": str(len(torn)), "torn_sha256": digest}
    return AuditEntry(act=Act.RECOVERED, subject="audit-log", actor="digiscope", detail=detail)


def _cut_torn_line(descriptor: int) -> bytes:
    """Take away what a power cut left of a line that was never confirmed, and return it."""
    size = os.fstat(descriptor).st_size
    torn = b""
    while size > len(torn):
        length = min(_BLOCK_BYTES, size - len(torn))
        block = os.pread(descriptor, length, size - len(torn) - length)
        _, newline, rest = block.rpartition(b"\n")
        torn = (rest if newline else block) + torn
        if newline:
            break
    if torn:
        os.ftruncate(descriptor, size - len(torn))
    return torn


def _last_line(descriptor: int) -> bytes | None:
    """Return the last complete line, without its newline."""
    end = os.fstat(descriptor).st_size - 1
    if end < 0:
        return None
    tail = b""
    while len(tail) < end:
        length = min(_BLOCK_BYTES, end - len(tail))
        tail = os.pread(descriptor, length, end - len(tail) - length) + tail
        if b"\n" in tail:
            break
    return tail.rpartition(b"\n")[2]


def _write_all(descriptor: int, line: bytes) -> None:
    while line:
        line = line[os.write(descriptor, line) :]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
