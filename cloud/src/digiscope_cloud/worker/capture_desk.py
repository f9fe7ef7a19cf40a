"""One capture from its record to its answer. A repeat changes nothing and is answered again, byte for byte."""

import contextlib
import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from digiscope_cloud.dead_letters.writing import DeadLetters
from digiscope_cloud.ports import AlreadyExistsError, EventPublisher, NotFoundError, ObjectStore
from digiscope_cloud.worker.analysis import ServedModel, answered, refused
from digiscope_cloud.worker.ports import CnnStage, VisionStage
from digiscope_shared import object_names
from digiscope_shared.codec import Envelope, decode_json, encode_json
from digiscope_shared.errors import PermanentError, Reason
from digiscope_shared.logs import trace_context
from digiscope_shared.messages import AnalysisResult, CaptureRecord
from digiscope_shared.pubsub_topics import PubsubTopic

log = structlog.get_logger()


def utc_now() -> datetime:
    return datetime.now(UTC)


class CaptureDesk:
    """Answers what comes on `captures-worker`; called from many threads at once."""

    def __init__(
        self,
        *,
        model: ServedModel,
        store: ObjectStore,
        publisher: EventPublisher,
        dead_letters: DeadLetters,
        vision: VisionStage,
        cnn: CnnStage,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._model = model
        self._store = store
        self._publisher = publisher
        self._dead_letters = dead_letters
        self._vision = vision
        self._cnn = cnn
        self._now = now

    def answer(self, envelope: Envelope) -> None:
        """Store and publish the result.

        Raises:
            PermanentError: there is no capture to answer.
            TransientError: storage or Pub/Sub failed.
        """
        record = decode_json(CaptureRecord, envelope.body)
        with trace_context(record.capture_id, record.traceparent):
            # One read for each new capture; a redelivery, of which Pub/Sub may make any number, costs little more.
            if self._answer_from_store(record):
                return
            began_s = time.perf_counter()
            content = self._fetch(record)
            fetch_ms = _ms_since(began_s)
            try:
                result = self._analyse(record, content, fetch_ms)
            except PermanentError as error:
                # Before the result: a worker killed between the two leaves a second dead letter, never none.
                self._dead_letters.bury(envelope, error)
                result = refused(record, self._model, error, analysed_at=self._now().isoformat())
            self._publisher.publish(PubsubTopic.RESULTS, self._keep(result))
            log.info(
                "capture_answered",
                device_id=record.device_id,
                triage=str(result.triage),
                prediction=result.prediction,
                total_ms=round(_ms_since(began_s), 1),
                stage_ms=result.stage_ms,
            )

    def _answer_from_store(self, record: CaptureRecord) -> bool:
        """Publish the result, if it is there: what is asked for or delivered again must not cost its work again."""
        try:
            body, _ = self._store.read(object_names.result(record.capture_id, self._model.digest))
        except NotFoundError:
            return False
        result = decode_json(AnalysisResult, body)
        self._publisher.publish(PubsubTopic.RESULTS, Envelope(attributes=_attributes(result), body=body))
        log.info("capture_answered_from_store", device_id=record.device_id)
        return True

    def _fetch(self, record: CaptureRecord) -> bytes:
        prefix = self._store.uri_prefix
        if record.image_uri != prefix + object_names.image(record.capture_id):
            raise PermanentError(Reason.BAD_BODY, f"image_uri {record.image_uri!r} is not this capture's in {prefix}")
        try:
            return self._store.read(record.image_uri.removeprefix(prefix))[0]
        except NotFoundError as error:
            # Erased with its case: a result must not bring the case's prefix back.
            raise PermanentError(Reason.UNREADABLE_IMAGE, "the image was erased") from error

    def _analyse(self, record: CaptureRecord, content: bytes, fetch_ms: float) -> AnalysisResult:
        # The hash decides, not the generation: the same image written twice is still the same image.
        if hashlib.sha256(content).hexdigest() != record.image_sha256:
            raise PermanentError(Reason.WRONG_HASH, "the stored image is not the one that was announced")
        examination = self._vision.examine(content, record.frame_width_mm)
        if examination.overlay_png:
            self._keep_overlay(record.capture_id, examination.overlay_png)
        began_s = time.perf_counter()
        probabilities = self._cnn.classify(examination.model_input)
        return answered(
            record,
            self._model,
            probabilities,
            findings=examination.findings,
            stage_ms={"fetch": fetch_ms, **examination.stage_ms, "cnn": _ms_since(began_s)},
            analysed_at=self._now().isoformat(),
        )

    def _keep_overlay(self, capture_id: str, overlay_png: bytes) -> None:
        """Store it before the result: who has the result finds the overlay. The same image gives the same one."""
        with contextlib.suppress(AlreadyExistsError):
            self._store.create(object_names.overlay(capture_id), overlay_png, content_type="image/png")

    def _keep(self, result: AnalysisResult) -> Envelope:
        """Return what is stored as the result: this one, or the one that was there first."""
        name = object_names.result(result.capture_id, result.model_digest)
        body = encode_json(result)
        try:
            self._store.create(name, body, content_type="application/json")
        except AlreadyExistsError:
            log.info("result_repeated")
            body = self._store.read(name)[0]
            result = decode_json(AnalysisResult, body)
        return Envelope(attributes=_attributes(result), body=body)


def _attributes(result: AnalysisResult) -> dict[str, str]:
    return {
        "schema": result.SCHEMA,
        "capture_id": result.capture_id,
        "device_id": result.device_id,
        "traceparent": result.traceparent,
    }


def _ms_since(began_s: float) -> float:
    return (time.perf_counter() - began_s) * 1e3
