"""One capture from its delivery to its answer. A repeat changes nothing and is answered again, byte for byte."""

import hashlib
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from digiscope_cloud.dead_letters import with_reason
from digiscope_cloud.ports import AlreadyExistsError, Delivery, EventPublisher, NotFoundError, ObjectStore
from digiscope_cloud.worker.analysis import ServedModel, answered, refused
from digiscope_cloud.worker.ports import CnnStage, VisionStage
from digiscope_shared import object_names
from digiscope_shared.backoff import Backoff
from digiscope_shared.codec import Envelope, decode_json, encode_json
from digiscope_shared.errors import PermanentError, Reason, TransientError
from digiscope_shared.logs import trace_context
from digiscope_shared.messages import AnalysisResult, CaptureRecord
from digiscope_shared.pubsub_topics import PubsubTopic, Subscription, dead_letter_id

log = structlog.get_logger()


def utc_now() -> datetime:
    return datetime.now(UTC)


class CaptureDesk:
    """Answers deliveries of `captures-worker`; called from many threads at once."""

    def __init__(
        self,
        *,
        model: ServedModel,
        store: ObjectStore,
        publisher: EventPublisher,
        vision: VisionStage,
        cnn: CnnStage,
        hold_s: float = 600.0,
        now: Callable[[], datetime] = utc_now,
        backoff: Callable[[], Backoff] = lambda: Backoff(base_s=0.5, cap_s=15.0),
    ) -> None:
        self._model = model
        self._store = store
        self._publisher = publisher
        self._vision = vision
        self._cnn = cnn
        self._hold_s = hold_s
        self._now = now
        self._new_backoff = backoff
        self._stopping = threading.Event()

    def stop_holding(self) -> None:
        """Give back, from now on, what can't be answered at once."""
        self._stopping.set()

    def take(self, delivery: Delivery) -> None:
        """Answer and ack; nack where an outage outlasted `hold_s`.

        A nack counts as a delivery attempt and the dead letter waits after the last one, so that an outage is sat out
        here, under the lease, and not in a circle through Pub/Sub.
        """
        give_up_at_s = time.monotonic() + self._hold_s
        backoff = self._new_backoff()
        while True:
            try:
                self._answer(delivery.envelope)
            except TransientError as error:
                delay_s = backoff.next_delay_s()
                log.warning("capture_held", error=str(error), retry_in_s=round(delay_s, 2))
                if time.monotonic() + delay_s > give_up_at_s or self._stopping.wait(delay_s):
                    delivery.nack()
                    return
            except Exception:  # a bug of ours must not look like the image's fault; Pub/Sub counts the attempts
                log.exception("capture_failed")
                delivery.nack()
                return
            else:
                delivery.ack()
                return

    def _answer(self, envelope: Envelope) -> None:
        try:
            record = decode_json(CaptureRecord, envelope.body)
            with trace_context(record.capture_id, record.traceparent):
                self._answer_record(record, envelope)
        except PermanentError as error:
            self._bury(envelope, error)

    def _answer_record(self, record: CaptureRecord, envelope: Envelope) -> None:
        began_s = time.perf_counter()
        content = self._fetch(record)
        fetch_ms = (time.perf_counter() - began_s) * 1e3
        try:
            result = self._analyse(record, content, fetch_ms)
        except PermanentError as error:
            # Before the result: a worker that is killed between the two leaves a second dead letter, never none.
            self._bury(envelope, error)
            result = refused(record, self._model, error, analysed_at=self._now().isoformat())
        self._publisher.publish(PubsubTopic.RESULTS, self._keep(result))
        log.info(
            "capture_answered",
            device_id=record.device_id,
            triage=str(result.triage),
            prediction=result.prediction,
            total_ms=round((time.perf_counter() - began_s) * 1e3, 1),
            stage_ms=result.stage_ms,
        )

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
        examination = self._vision.examine(content)
        began_s = time.perf_counter()
        probabilities = self._cnn.classify(examination.model_input)
        cnn_ms = (time.perf_counter() - began_s) * 1e3
        return answered(
            record,
            self._model,
            probabilities,
            findings=examination.findings,
            stage_ms={"fetch": fetch_ms, **examination.stage_ms, "cnn": cnn_ms},
            analysed_at=self._now().isoformat(),
        )

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

    def _bury(self, envelope: Envelope, error: PermanentError) -> None:
        log.warning("capture_dead_lettered", reason=str(error.reason), detail=error.detail)
        self._publisher.publish(dead_letter_id(Subscription.CAPTURES_WORKER), with_reason(envelope, error))


def _attributes(result: AnalysisResult) -> dict[str, str]:
    return {
        "schema": result.SCHEMA,
        "capture_id": result.capture_id,
        "device_id": result.device_id,
        "traceparent": result.traceparent,
    }
