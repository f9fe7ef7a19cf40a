"""The outbox in SQLite, images beside it. Several processes may use it: each step is one IMMEDIATE transaction.

The image is written inside the transaction that adds its row: file, name, row. A crash in between leaves a file without
a row, which `reconcile` sets aside; it never leaves a row without its file. Freeing goes the other way round.
"""

import hashlib
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec
import structlog

from digiscope_edge.adapters.image_cipher import ImageCipher
from digiscope_edge.adapters.image_folder import TEMPORARY, ImageFolder
from digiscope_edge.adapters.outbox_rows import COLUMNS, held_capture, new_attributes
from digiscope_edge.adapters.sqlite_file import SqliteFile
from digiscope_edge.captures import (
    ConfigMemory,
    HeldCapture,
    ImageState,
    NewCapture,
    OutboxLoad,
    Reconciliation,
)
from digiscope_edge.ports import DamagedImageError, OutboxFullError
from digiscope_shared.errors import SettingsError
from digiscope_shared.lifecycle import HELD, UNSENT, CaptureEvent, CaptureState, step
from digiscope_shared.messages import AnalysisResult, DesiredConfig, TelemetryReading

log = structlog.get_logger()

_OPEN: Final = (*sorted(UNSENT), CaptureState.STORED)
_ON_DISK: Final = frozenset({ImageState.HELD, ImageState.DAMAGED, ImageState.MISSING})


class SqliteOutbox:
    """The port Outbox in `state_dir`: `limit_bytes` bounds held images, `reserve_bytes` stay free on the disk."""

    def __init__(
        self,
        state_dir: Path,
        *,
        limit_bytes: int,
        reserve_bytes: int = 0,
        history: int = 1000,
        busy_timeout_s: float = 30,
        cipher: ImageCipher | None = None,
    ) -> None:
        self._limit_bytes, self._reserve_bytes, self._history = limit_bytes, reserve_bytes, history
        try:
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._images = ImageFolder(state_dir / "images", state_dir / "orphans", cipher)
            self._file = SqliteFile(state_dir / "outbox.sqlite3", busy_timeout_s)
        except (OSError, sqlite3.Error) as error:
            raise SettingsError(f"state_dir {state_dir}: can't keep an outbox there: {error}") from error

    def close(self) -> None:
        self._file.close()

    def reconcile(self) -> Reconciliation:
        with self._file.transaction() as db:
            rows = {row[0]: row for row in db.execute("SELECT capture_id, image_sha256, image FROM captures")}
            held = {name for name, (_, _, image) in rows.items() if image in _ON_DISK}
            orphans = 0
            for name in sorted(self._images.names() - held):
                # A temporary file was never a capture; a freed one's file had only its deletion cut short.
                if name in rows or name.endswith(TEMPORARY):
                    self._images.delete(name)
                else:
                    self._images.set_aside(name)
                    orphans += 1
            found: dict[ImageState, list[str]] = {ImageState.DAMAGED: [], ImageState.MISSING: []}
            for name in sorted(held):
                state = self._inspect(name, rows[name][1])
                db.execute("UPDATE captures SET image = ? WHERE capture_id = ?", (state, name))
                if state in found:
                    found[state].append(name)
        return Reconciliation(
            orphans=orphans, damaged=tuple(found[ImageState.DAMAGED]), missing=tuple(found[ImageState.MISSING])
        )

    def accept(self, capture: NewCapture) -> HeldCapture:
        digest = hashlib.sha256(capture.content).hexdigest()
        with self._file.transaction() as db:
            known = self.find(capture.capture_id)
            if known is not None:
                return known
            self._check_room(len(capture.content))
            attributes = new_attributes(capture, digest, self._next("capture"))
            self._images.write(capture.capture_id, capture.content)
            db.execute(
                "INSERT INTO captures (capture_id, sequence, attributes, image_sha256, image_bytes, state, image,"
                " accepted_at_s) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    capture.capture_id,
                    attributes.sequence,
                    msgspec.json.encode(attributes).decode(),
                    digest,
                    len(capture.content),
                    CaptureState.ACCEPTED,
                    ImageState.HELD,
                    capture.accepted_at_s,
                ),
            )
        return HeldCapture(
            attributes=attributes,
            state=CaptureState.ACCEPTED,
            image=ImageState.HELD,
            accepted_at_s=capture.accepted_at_s,
        )

    def find(self, capture_id: str) -> HeldCapture | None:
        return next(iter(self._captures("capture_id = ?", capture_id)), None)

    def knows_image(self, image_sha256: str) -> bool:
        return bool(self._file.rows("SELECT 1 FROM captures WHERE image_sha256 = ? LIMIT 1", image_sha256))

    def newer_than(self, sequence: int) -> list[HeldCapture]:
        return self._captures("sequence > ?", sequence)

    def last_sequence(self) -> int:
        return int(self._file.rows("SELECT value FROM counters WHERE name = 'capture'")[0][0])

    def open_captures(self, *, after: int = 0) -> list[HeldCapture]:
        return self._captures(f"state IN ({_marks(_OPEN)}) AND sequence > ?", *_OPEN, after)

    def held(self) -> list[HeldCapture]:
        return self._captures(f"state IN ({_marks(HELD)}) AND image != 'discarded'", *HELD)

    def recent(self, limit: int) -> list[HeldCapture]:
        return self._captures("sequence > (SELECT value FROM counters WHERE name = 'capture') - ?", limit)

    def cut(self, capture_id: str, part_bytes: int) -> None:
        with self._file.transaction() as db:
            db.execute(
                "UPDATE captures SET part_bytes = ? WHERE capture_id = ? AND part_bytes = 0", (part_bytes, capture_id)
            )

    def read_image(self, capture_id: str) -> bytes:
        rows = self._file.rows("SELECT image_sha256 FROM captures WHERE capture_id = ?", capture_id)
        try:
            return self._images.read(capture_id, rows[0][0])
        except DamagedImageError as error:
            with self._file.transaction() as db:
                db.execute("UPDATE captures SET image = ? WHERE capture_id = ?", (str(error), capture_id))
            raise

    def advance(
        self, capture_id: str, event: CaptureEvent, *, reason: str = "", detail: str = ""
    ) -> HeldCapture | None:
        with self._file.transaction() as db:
            capture = self.find(capture_id)
            if capture is None:
                return None
            state = step(capture.state, event)
            if state is capture.state and not reason:
                return capture
            frees = state not in HELD and capture.image is not ImageState.FREED
            image = ImageState.FREED if frees else capture.image
            db.execute(
                "UPDATE captures SET state = ?, image = ?, reason = ?, detail = ? WHERE capture_id = ?",
                (state, image, reason, detail, capture_id),
            )
            self._forget_history(db)
        if frees:
            self._images.delete(capture_id)
        return self.find(capture_id)

    def answer(self, result: AnalysisResult) -> bool:
        with self._file.transaction() as db:
            if self.find(result.capture_id) is None:
                return False
            added = db.execute(
                "INSERT OR IGNORE INTO results VALUES (?, ?, ?)",
                (result.capture_id, result.model_digest, msgspec.json.encode(result).decode()),
            ).rowcount
        # After a crash right here, the broker delivers the result again: the repeat still steps the lifecycle.
        self.advance(result.capture_id, CaptureEvent.RESULT_RECEIVED)
        return bool(added)

    def results(self, capture_id: str) -> list[AnalysisResult]:
        rows = self._file.rows("SELECT body FROM results WHERE capture_id = ?", capture_id)
        return [msgspec.json.decode(body, type=AnalysisResult) for (body,) in rows]

    def discard(self, capture_id: str) -> bool:
        with self._file.transaction() as db:
            capture = self.find(capture_id)
            unreadable = {ImageState.DAMAGED, ImageState.MISSING}
            if capture is None or not (capture.state is CaptureState.REJECTED or capture.image in unreadable):
                return False
            if capture.image in {ImageState.FREED, ImageState.DISCARDED}:
                return False
            db.execute("UPDATE captures SET image = 'discarded' WHERE capture_id = ?", (capture_id,))
        self._images.delete(capture_id)
        return True

    def load(self) -> OutboxLoad:
        captures, held_bytes, rejected, unreadable = self._file.rows(
            "SELECT COUNT(*), COALESCE(SUM(image_bytes), 0), COALESCE(SUM(state = 'rejected'), 0),"
            " COALESCE(SUM(image IN ('damaged', 'missing')), 0) FROM captures"
            " WHERE state IN ('accepted', 'sending', 'rejected') AND image != 'discarded'",
        )[0]
        full = held_bytes >= self._limit_bytes or self._images.free_bytes() <= self._reserve_bytes
        return OutboxLoad(captures=captures, held_bytes=held_bytes, full=full, rejected=rejected, unreadable=unreadable)

    def orphans(self) -> int:
        return self._images.orphans()

    def config(self) -> ConfigMemory:
        memory = dict(self._file.rows("SELECT name, value FROM memory"))
        applied = memory.get("config")
        version, _, detail = memory.get("config_refused", "0 ").partition(" ")
        return ConfigMemory(
            applied=msgspec.json.decode(applied, type=DesiredConfig) if applied else None,
            refused_version=int(version),
            refused_detail=detail,
        )

    def keep_config(self, desired: DesiredConfig) -> None:
        with self._file.transaction() as db:
            db.execute("REPLACE INTO memory VALUES ('config', ?)", (msgspec.json.encode(desired).decode(),))
            db.execute("DELETE FROM memory WHERE name = 'config_refused'")

    def keep_config_refusal(self, version: int, detail: str) -> None:
        with self._file.transaction() as db:
            db.execute("REPLACE INTO memory VALUES ('config_refused', ?)", (f"{version} {detail}",))

    def recall(self, name: str) -> str:
        """Return a remembered text, such as how far a file was read; empty where there is none."""
        rows = self._file.rows("SELECT value FROM memory WHERE name = ?", name)
        return rows[0][0] if rows else ""

    def remember(self, name: str, value: str) -> None:
        with self._file.transaction() as db:
            db.execute("REPLACE INTO memory VALUES (?, ?)", (name, value))

    def add_reading(self, reading: TelemetryReading, *, remember: tuple[str, str] | None = None) -> TelemetryReading:
        """Keep a reading; `remember` a text in the same transaction, so that a file's line is taken exactly once."""
        with self._file.transaction() as db:
            numbered = replace(reading, sequence=self._next("reading"))
            body = msgspec.json.encode(numbered).decode()
            db.execute("INSERT INTO readings VALUES (?, ?)", (numbered.sequence, body))
            if remember is not None:
                db.execute("REPLACE INTO memory VALUES (?, ?)", remember)
        return numbered

    def readings(self, *, after: int, limit: int) -> list[TelemetryReading]:
        rows = self._file.rows("SELECT body FROM readings WHERE sequence > ? ORDER BY sequence LIMIT ?", after, limit)
        return [msgspec.json.decode(body, type=TelemetryReading) for (body,) in rows]

    def drop_reading(self, sequence: int) -> None:
        with self._file.transaction() as db:
            db.execute("DELETE FROM readings WHERE sequence = ?", (sequence,))

    def change_mark(self) -> int:
        return int(self._file.rows("PRAGMA data_version")[0][0])

    def _captures(self, where: str, *values: object) -> list[HeldCapture]:
        # `where` comes from this file alone.
        statement = f"SELECT {COLUMNS} FROM captures WHERE {where} ORDER BY sequence"  # noqa: S608
        rows = self._file.rows(statement, *values)
        return [held_capture(row) for row in rows]

    def _next(self, counter: str) -> int:
        statement = "UPDATE counters SET value = value + 1 WHERE name = ? RETURNING value"
        return int(self._file.rows(statement, counter)[0][0])

    def _check_room(self, image_bytes: int) -> None:
        held_bytes = self.load().held_bytes
        if held_bytes + image_bytes > self._limit_bytes:
            raise OutboxFullError(f"{held_bytes} bytes wait for the cloud; the limit is {self._limit_bytes}")
        free_bytes = self._images.free_bytes()
        if free_bytes - image_bytes < self._reserve_bytes:
            raise OutboxFullError(f"{free_bytes} bytes are free on the disk; {self._reserve_bytes} stay reserved")

    def _inspect(self, capture_id: str, image_sha256: str) -> ImageState:
        try:
            self._images.read(capture_id, image_sha256)
        except DamagedImageError as error:
            log.warning("outbox_image_unreadable", capture_id=capture_id, image=str(error))
            return ImageState(str(error))
        return ImageState.HELD

    def _forget_history(self, db: sqlite3.Connection) -> None:
        """Answered captures and their results go, oldest first; what waits for anything stays."""
        db.execute(
            "DELETE FROM captures WHERE state = 'answered' AND sequence <="
            " (SELECT value FROM counters WHERE name = 'capture') - ?",
            (self._history,),
        )


def _marks(values: Sequence[str] | frozenset[CaptureState]) -> str:
    return ", ".join("?" * len(values))
