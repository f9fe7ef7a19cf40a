"""Gathers what bucket, dead letters, fleet and device know of one capture."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from digiscope_cloud.dead_letters.desk import DeadLetterDesk
from digiscope_cloud.dead_letters.letter import Letter
from digiscope_cloud.fleet.reported import ReportedState
from digiscope_cloud.fleet.shadow import Shadows
from digiscope_cloud.ports import NotFoundError, ObjectStore
from digiscope_cloud.trace import steps as made
from digiscope_shared import object_names
from digiscope_shared.capture_trace import Standing, in_order, standing_of
from digiscope_shared.codec import decode_json
from digiscope_shared.messages import AnalysisResult, CaptureRecord, StepName, TraceStep


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureTrace:
    """`reported` is the last state of its device; None where it is unheard or unknown."""

    capture_id: str
    device_id: str
    steps: tuple[TraceStep, ...]
    standing: Standing
    reported: ReportedState | None


class Tracer:
    def __init__(self, *, store: ObjectStore, dead_letters: DeadLetterDesk, shadows: Shadows) -> None:
        self._store = store
        self._dead_letters = dead_letters
        self._shadows = shadows

    def trace(self, capture_id: str, account: Sequence[TraceStep] = ()) -> CaptureTrace:
        """Merge the cloud's steps with the device's account.

        Raises:
            NotFoundError: nobody who was asked knows of it.
            TransientError: storage or Pub/Sub failed.
        """
        letters = [letter for letter in self._dead_letters.letters() if letter.capture_id == capture_id]
        record = self._record(capture_id)
        cloud = [*self._steps_in_bucket(capture_id), *map(made.of_letter, letters)]
        if record is not None:
            cloud.append(made.of_record(record))
        device = [step for step in account if step.capture_id == capture_id]
        if record is not None and not device:
            device = [made.accepted(record)]
        if not cloud and not device:
            raise NotFoundError(capture_id)
        steps = in_order([*device, *cloud])
        device_id = self._device_of(capture_id, record, letters)
        reported = self._shadows.reported(device_id) if device_id else None
        standing = made.missing_standing(steps) or standing_of(steps)
        return CaptureTrace(
            capture_id=capture_id, device_id=device_id, steps=tuple(steps), standing=standing, reported=reported
        )

    def _record(self, capture_id: str) -> CaptureRecord | None:
        try:
            return decode_json(CaptureRecord, self._store.read(object_names.capture_record(capture_id))[0])
        except NotFoundError:
            return None

    def _steps_in_bucket(self, capture_id: str) -> Iterator[TraceStep]:
        parts = list(self._store.list(object_names.parts_prefix(capture_id)))
        if parts:
            yield made.of_parts(capture_id, parts)
        for name, step in (
            (object_names.image(capture_id), StepName.IMAGE_STORED),
            (object_names.overlay(capture_id), StepName.OVERLAY_STORED),
        ):
            stored = self._store.find(name)
            if stored is not None:
                yield made.of_object(capture_id, step, stored)
        for stored in self._store.list(object_names.results_prefix(capture_id)):
            yield made.of_result(decode_json(AnalysisResult, self._store.read(stored.name)[0]))

    def _device_of(self, capture_id: str, record: CaptureRecord | None, letters: Iterable[Letter]) -> str:
        if record is not None:
            return record.device_id
        claims = (
            stored.metadata.get("device_id", "") for stored in self._store.list(object_names.capture_prefix(capture_id))
        )
        return next(filter(None, (*claims, *(letter.device_id for letter in letters))), "")
