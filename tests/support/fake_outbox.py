"""FakeOutbox: the port Outbox in memory, for the agent's tests."""

import hashlib
from dataclasses import dataclass, field, replace

from digiscope_edge.adapters.outbox_rows import new_attributes
from digiscope_edge.captures import ConfigMemory, HeldCapture, ImageState, NewCapture, OutboxLoad, Reconciliation
from digiscope_edge.ports import DamagedImageError, OutboxFullError
from digiscope_shared.lifecycle import HELD, UNSENT, CaptureEvent, CaptureState, step
from digiscope_shared.messages import AnalysisResult, DesiredConfig, TelemetryReading

UNREADABLE = frozenset({ImageState.DAMAGED, ImageState.MISSING})


@dataclass(slots=True, kw_only=True)
class FakeOutbox:
    limit_bytes: int = 2**30
    rows: dict[str, HeldCapture] = field(default_factory=dict)
    images: dict[str, bytes] = field(default_factory=dict)
    answers: dict[tuple[str, str], AnalysisResult] = field(default_factory=dict)
    memory: ConfigMemory = field(default_factory=ConfigMemory)
    kept_readings: dict[int, TelemetryReading] = field(default_factory=dict)
    sequence: int = 0
    reading_sequence: int = 0

    def reconcile(self) -> Reconciliation:
        return Reconciliation()

    def accept(self, capture: NewCapture) -> HeldCapture:
        if capture.capture_id in self.rows:
            return self.rows[capture.capture_id]
        if self.load().held_bytes + len(capture.content) > self.limit_bytes:
            raise OutboxFullError("full")
        self.sequence += 1
        digest = hashlib.sha256(capture.content).hexdigest()
        held = HeldCapture(
            attributes=new_attributes(capture, digest, self.sequence),
            state=CaptureState.ACCEPTED,
            image=ImageState.HELD,
            accepted_at_s=capture.accepted_at_s,
        )
        self.rows[capture.capture_id], self.images[capture.capture_id] = held, capture.content
        return held

    def find(self, capture_id: str) -> HeldCapture | None:
        return self.rows.get(capture_id)

    def knows_image(self, image_sha256: str) -> bool:
        return any(row.attributes.image_sha256 == image_sha256 for row in self.rows.values())

    def newer_than(self, sequence: int) -> list[HeldCapture]:
        return [row for row in self.rows.values() if row.attributes.sequence > sequence]

    def last_sequence(self) -> int:
        return self.sequence

    def open_captures(self, *, after: int = 0) -> list[HeldCapture]:
        return [row for row in self.newer_than(after) if row.state in UNSENT | {CaptureState.STORED}]

    def held(self) -> list[HeldCapture]:
        return [row for row in self.rows.values() if row.state in HELD and row.image is not ImageState.DISCARDED]

    def cut(self, capture_id: str, part_bytes: int) -> None:
        row = self.rows[capture_id]
        self.rows[capture_id] = replace(row, part_bytes=row.part_bytes or part_bytes)

    def read_image(self, capture_id: str) -> bytes:
        row = self.rows[capture_id]
        content = self.images[capture_id]
        if hashlib.sha256(content).hexdigest() != row.attributes.image_sha256:
            self.rows[capture_id] = replace(row, image=ImageState.DAMAGED)
            raise DamagedImageError("damaged")
        return content

    def advance(
        self, capture_id: str, event: CaptureEvent, *, reason: str = "", detail: str = ""
    ) -> HeldCapture | None:
        row = self.rows.get(capture_id)
        if row is None:
            return None
        state = step(row.state, event)
        if state is row.state and not reason:
            return row
        row = replace(row, state=state, reason=reason, detail=detail)
        if state not in HELD:
            self.images.pop(capture_id, None)
            row = replace(row, image=ImageState.FREED)
        self.rows[capture_id] = row
        return row

    def answer(self, result: AnalysisResult) -> bool:
        key = (result.capture_id, result.model_digest)
        is_new = result.capture_id in self.rows and key not in self.answers
        if is_new:
            self.answers[key] = result
        self.advance(result.capture_id, CaptureEvent.RESULT_RECEIVED)
        return is_new

    def results(self, capture_id: str) -> list[AnalysisResult]:
        return [result for (owner, _), result in self.answers.items() if owner == capture_id]

    def discard(self, capture_id: str) -> bool:
        row = self.rows.get(capture_id)
        if row is None or not (row.state is CaptureState.REJECTED or row.image in UNREADABLE):
            return False
        self.images.pop(capture_id, None)
        self.rows[capture_id] = replace(row, image=ImageState.DISCARDED)
        return True

    def load(self) -> OutboxLoad:
        held = self.held()
        held_bytes = sum(row.attributes.image_bytes for row in held)
        return OutboxLoad(
            captures=len(held),
            held_bytes=held_bytes,
            full=held_bytes >= self.limit_bytes,
            rejected=sum(row.state is CaptureState.REJECTED for row in held),
            unreadable=sum(row.image in UNREADABLE for row in held),
        )

    def config(self) -> ConfigMemory:
        return self.memory

    def keep_config(self, desired: DesiredConfig) -> None:
        self.memory = ConfigMemory(applied=desired)

    def keep_config_refusal(self, version: int, detail: str) -> None:
        self.memory = replace(self.memory, refused_version=version, refused_detail=detail)

    def add_reading(self, reading: TelemetryReading) -> TelemetryReading:
        self.reading_sequence += 1
        numbered = replace(reading, sequence=self.reading_sequence)
        self.kept_readings[numbered.sequence] = numbered
        return numbered

    def readings(self, *, after: int, limit: int) -> list[TelemetryReading]:
        return [reading for number, reading in self.kept_readings.items() if number > after][:limit]

    def drop_reading(self, sequence: int) -> None:
        self.kept_readings.pop(sequence, None)

    def change_mark(self) -> int:
        return 0

    def close(self) -> None:
        return
