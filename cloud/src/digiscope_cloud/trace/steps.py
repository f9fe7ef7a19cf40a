"""What each piece of evidence in the cloud says of a capture's way. Pure."""

from collections.abc import Iterable, Sequence
from typing import Final

from digiscope_cloud.dead_letters.letter import Letter
from digiscope_cloud.ports import StoredObject
from digiscope_shared.capture_trace import Standing
from digiscope_shared.messages import AnalysisResult, CaptureRecord, StepName, TraceStep
from digiscope_shared.pubsub_topics import UPLINK_DEAD, Subscription, dead_letter_id

_CLOUD: Final = "cloud"
_STEP_OF_PLACE: Final = {
    UPLINK_DEAD: StepName.REFUSED,
    dead_letter_id(Subscription.CAPTURES_WORKER): StepName.UNANALYSED,
}
# The rest is on its way to the device.
_OTHER_PLACES: Final = StepName.UNDELIVERED


def of_parts(capture_id: str, parts: Sequence[StoredObject]) -> TraceStep:
    """Say how many of its parts lie in the bucket, at the time of the newest."""
    newest = max(parts, key=_created_at)
    expected = newest.metadata.get("parts", "?")
    detail = f"{len(parts)} of {expected} parts"
    return TraceStep(
        capture_id=capture_id, where=_CLOUD, name=StepName.PARTS_STORED, at=_created_at(newest), detail=detail
    )


def of_object(capture_id: str, name: StepName, stored: StoredObject) -> TraceStep:
    detail = f"{stored.name.rpartition('/')[2]}, {stored.size} bytes"
    return TraceStep(capture_id=capture_id, where=_CLOUD, name=name, at=_created_at(stored), detail=detail)


def of_record(record: CaptureRecord) -> TraceStep:
    detail = "capture.json: the device may free its image"
    return TraceStep(
        capture_id=record.capture_id, where=_CLOUD, name=StepName.RECORDED, at=record.stored_at, detail=detail
    )


def accepted(record: CaptureRecord) -> TraceStep:
    """Say what the record tells of the device, where the device itself wasn't asked."""
    detail = f"#{record.sequence}, {record.image_bytes} bytes, as the record says"
    return TraceStep(
        capture_id=record.capture_id, where="device", name=StepName.ACCEPTED, at=record.captured_at, detail=detail
    )


def of_result(result: AnalysisResult) -> TraceStep:
    stages = ", ".join(f"{stage} {ms:.0f}" for stage, ms in result.stage_ms.items())
    refusal = f" ({result.refusal.reason}: {result.refusal.detail})" if result.refusal is not None else ""
    detail = f"{result.triage}{refusal} by {result.model_id}" + (f"; ms: {stages}" if stages else "")
    return TraceStep(
        capture_id=result.capture_id, where=_CLOUD, name=StepName.ANALYSED, at=result.analysed_at, detail=detail
    )


def of_letter(letter: Letter) -> TraceStep:
    return TraceStep(
        capture_id=letter.capture_id,
        where=_CLOUD,
        name=_STEP_OF_PLACE.get(letter.place, _OTHER_PLACES),
        at=letter.since.isoformat(timespec="milliseconds"),
        detail=f"dead letter {letter.key} in {letter.place}: {letter.reason}: {letter.detail}",
    )


def missing_standing(steps: Iterable[TraceStep]) -> Standing | None:
    """Return what to say where the device was told `stored` and the bucket holds no record; None otherwise."""
    names = {step.name for step in steps}
    if StepName.RECEIPT not in names or StepName.RECORDED in names:
        return None
    return Standing(
        holder="nobody who was asked: the device had its receipt, and this bucket holds no record",
        next_step="a person looks: it was erased with its case, lies in another project, or is lost",
    )


def _created_at(stored: StoredObject) -> str:
    return stored.created_at.isoformat(timespec="milliseconds") if stored.created_at is not None else ""
