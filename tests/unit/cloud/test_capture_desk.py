"""One capture from delivery to answer, on fakes."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from digiscope_cloud.dead_letters.writing import DeadLetters
from digiscope_cloud.delivery_taker import DeliveryTaker
from digiscope_cloud.worker.analysis import ServedModel
from digiscope_cloud.worker.capture_desk import CaptureDesk
from digiscope_cloud.worker.ports import Examination, Floats
from digiscope_shared import object_names
from digiscope_shared.backoff import Backoff
from digiscope_shared.codec import Envelope, decode_json, encode_json
from digiscope_shared.errors import PermanentError, Reason, TransientError
from digiscope_shared.lesions import LesionClass
from digiscope_shared.messages import AnalysisResult, CaptureRecord, Triage
from digiscope_shared.pubsub_topics import Subscription, dead_letter_id
from digiscope_shared.traceparent import new_traceparent, trace_id
from digiscope_shared.triage import OperatingPoints
from tests.support.fake_object_store import FakeObjectStore
from tests.support.fake_pubsub import FakeDelivery, FakeEventPublisher

CAPTURE_ID = "01890a5d-ac96-774b-bcce-b302099a8057"
DIGEST = "d" * 64
CONTENT = b"\x09an image"


def quick_backoff() -> Backoff:
    return Backoff(base_s=0.001, cap_s=0.002, floor_s=0.001)


class FakeVision:
    def __init__(self) -> None:
        self.refuses: PermanentError | None = None
        self.overlay_png = b""
        # What another worker does while this one looks.
        self.meanwhile: Callable[[], object] = lambda: None

    def examine(self, content: bytes, frame_width_mm: float | None = None) -> Examination:
        overlay_png = self.overlay_png
        self.meanwhile()
        if self.refuses is not None:
            raise self.refuses
        return Examination(
            findings={"vision": {"bytes": len(content), "width_mm": frame_width_mm}},
            model_input=np.zeros((2, 2, 3), np.float32),
            overlay_png=overlay_png,
        )

    def close(self) -> None: ...


class FakeCnn:
    def __init__(self) -> None:
        self.probabilities = {LesionClass.MEL: 0.7, LesionClass.NV: 0.3}
        self.fails: Exception | None = None

    def classify(self, model_input: Floats) -> Mapping[LesionClass, float]:
        if self.fails is not None:
            raise self.fails
        return self.probabilities

    def close(self) -> None: ...


class Bench:
    """A desk and all its fakes."""

    def __init__(self, *, hold_s: float = 5.0) -> None:
        self.store = FakeObjectStore()
        self.publisher = FakeEventPublisher()
        self.vision, self.cnn = FakeVision(), FakeCnn()
        self.minute = 0
        dead_letters = DeadLetters(self.publisher, dead_letter_id(Subscription.CAPTURES_WORKER))
        desk = CaptureDesk(
            model=ServedModel(
                digest=DIGEST, model_id="m", operating_points=OperatingPoints(review_from=0.2, refer_from=0.5)
            ),
            store=self.store,
            publisher=self.publisher,
            vision=self.vision,
            dead_letters=dead_letters,
            cnn=self.cnn,
            now=self.now,
        )
        self.taker = DeliveryTaker(desk.answer, dead_letters, hold_s=hold_s, new_backoff=quick_backoff)

    def now(self) -> datetime:
        self.minute += 1
        return datetime(2026, 1, 1, 12, self.minute, tzinfo=UTC)

    def stored_record(self, content: bytes = CONTENT, **changes: Any) -> CaptureRecord:
        image = object_names.image(CAPTURE_ID)
        stored = self.store.create(image, content, content_type="image/jpeg")
        fields: dict[str, Any] = {
            "capture_id": CAPTURE_ID,
            "device_id": "site-1",
            "image_uri": self.store.uri_prefix + image,
            "image_generation": stored.generation,
            "image_sha256": hashlib.sha256(content).hexdigest(),
            "image_bytes": len(content),
            "content_type": "image/jpeg",
            "captured_at": "",
            "stored_at": "",
            "boot_id": "b",
            "sequence": 1,
            "traceparent": new_traceparent(),
        }
        return CaptureRecord(**(fields | changes))

    def take(self, record: CaptureRecord) -> FakeDelivery:
        return self.take_body(encode_json(record))

    def take_body(self, body: bytes, **attributes: str) -> FakeDelivery:
        envelope = Envelope(attributes={"schema": CaptureRecord.SCHEMA} | attributes, body=body)
        delivery = FakeDelivery(envelope=envelope)
        self.taker.take(delivery)
        return delivery

    def results(self) -> list[Envelope]:
        return self.publisher.pubsub.on_topic("results")

    def dead(self) -> list[Envelope]:
        return self.publisher.pubsub.on_topic("captures-worker-dead")

    def stored_result(self) -> bytes:
        return self.store.read(object_names.result(CAPTURE_ID, DIGEST))[0]


def test_a_capture_is_answered_once_stored_and_published() -> None:
    bench = Bench()
    record = bench.stored_record()
    assert bench.take(record).acked
    [published] = bench.results()
    result = decode_json(AnalysisResult, published.body)
    assert published.body == bench.stored_result()
    assert (result.triage, result.prediction, result.malignant_probability) == (Triage.REFER, LesionClass.MEL, 0.7)
    assert (result.model_digest, result.image_sha256) == (DIGEST, record.image_sha256)
    assert result.findings == {"vision": {"bytes": len(CONTENT), "width_mm": None}}
    assert {"fetch", "cnn"} <= result.stage_ms.keys()
    assert trace_id(result.traceparent) == trace_id(record.traceparent)
    assert result.traceparent != record.traceparent
    assert published.attributes == {
        "schema": AnalysisResult.SCHEMA,
        "capture_id": CAPTURE_ID,
        "device_id": "site-1",
        "traceparent": result.traceparent,
    }


def test_what_the_optics_show_reaches_the_vision_stage() -> None:
    bench = Bench()
    bench.take(bench.stored_record(frame_width_mm=12.5))
    assert decode_json(AnalysisResult, bench.stored_result()).findings["vision"]["width_mm"] == 12.5


def test_an_overlay_is_stored_beside_the_result_and_stays_as_it_was() -> None:
    bench = Bench()
    record = bench.stored_record()

    def another_worker() -> None:
        bench.vision.meanwhile = lambda: None
        bench.vision.overlay_png = b"first"
        assert bench.take(record).acked

    bench.vision.meanwhile, bench.vision.overlay_png = another_worker, b"second"
    assert bench.take(record).acked
    assert bench.store.read(object_names.overlay(CAPTURE_ID))[0] == b"first"
    assert len(bench.results()) == 2


def test_two_workers_at_once_publish_the_same_bytes() -> None:
    bench = Bench()
    record = bench.stored_record()

    def another_worker() -> None:
        bench.vision.meanwhile = lambda: None
        assert bench.take(record).acked
        bench.cnn.probabilities = {LesionClass.MEL: 0.0, LesionClass.NV: 1.0}

    bench.vision.meanwhile = another_worker
    assert bench.take(record).acked
    first, second = bench.results()
    assert first == second
    assert decode_json(AnalysisResult, first.body).prediction == LesionClass.MEL


def test_a_repeat_costs_no_second_analysis() -> None:
    bench = Bench()
    record = bench.stored_record()
    assert bench.take(record).acked
    bench.cnn.fails = AssertionError("looked at the image again")
    assert bench.take(record).acked
    first, second = bench.results()
    assert first == second


@pytest.mark.parametrize("reason", [Reason.UNREADABLE_IMAGE, Reason.TOO_SLOW, Reason.TOO_LARGE])
def test_a_refused_image_is_answered_with_retake_and_buried_with_its_reason(reason: Reason) -> None:
    bench = Bench()
    bench.vision.refuses = PermanentError(reason, "why " * 400)
    assert bench.take(bench.stored_record()).acked
    [published] = bench.results()
    result = decode_json(AnalysisResult, published.body)
    assert result.triage == Triage.RETAKE
    assert result.refusal is not None
    assert result.refusal.reason == reason
    assert result.prediction is None
    [dead] = bench.dead()
    assert dead.attributes["dead_reason"] == reason
    assert dead.attributes["schema"] == CaptureRecord.SCHEMA


def test_another_image_than_the_announced_one_is_refused() -> None:
    bench = Bench()
    assert bench.take(bench.stored_record(image_sha256="0" * 64)).acked
    [published] = bench.results()
    refusal = decode_json(AnalysisResult, published.body).refusal
    assert refusal is not None
    assert refusal.reason == Reason.WRONG_HASH


def test_probabilities_that_are_not_finite_are_no_result() -> None:
    bench = Bench()
    bench.cnn.probabilities = {LesionClass.MEL: float("nan"), LesionClass.NV: 0.3}
    assert bench.take(bench.stored_record()).acked
    refusal = decode_json(AnalysisResult, bench.results()[0].body).refusal
    assert refusal is not None
    assert refusal.reason == Reason.BAD_BUNDLE


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b'{"schema": "digiscope.capture-record/2"}', b"\xff"])
def test_what_is_no_record_is_buried(body: bytes) -> None:
    bench = Bench()
    assert bench.take_body(body).acked
    assert bench.dead()[0].body == body
    assert bench.results() == []


def test_an_erased_image_gets_no_result_object() -> None:
    bench = Bench()
    record = bench.stored_record()
    bench.store.objects.clear()
    assert bench.take(record).acked
    assert bench.store.objects == {}
    assert bench.results() == []
    assert bench.dead()[0].attributes["dead_detail"] == "the image was erased"


@pytest.mark.parametrize("uri", ["gs://other/captures/x/image.jpg", "gs://fake-bucket/captures/x/image.jpg", "x"])
def test_a_record_that_points_elsewhere_is_buried(uri: str) -> None:
    bench = Bench()
    assert bench.take(bench.stored_record(image_uri=uri)).acked
    assert bench.dead()[0].attributes["dead_reason"] == Reason.BAD_BODY
    assert bench.results() == []


def test_an_outage_is_held_and_then_answered() -> None:
    bench = Bench()
    record = bench.stored_record()
    bench.store.away = True
    waits = iter(range(100))

    def come_back(_delay_s: float) -> bool:
        if next(waits) == 3:
            bench.store.away = False
        return False

    bench.taker._stopping.wait = come_back  # type: ignore[method-assign, assignment]
    delivery = bench.take(record)
    assert (delivery.acked, delivery.nacked) == (True, False)
    assert next(waits) == 4
    assert len(bench.results()) == 1


def test_an_outage_that_outlasts_the_hold_is_given_back() -> None:
    bench = Bench(hold_s=0.02)
    record = bench.stored_record()
    bench.publisher.pubsub.away = True
    delivery = bench.take(record)
    assert (delivery.acked, delivery.nacked) == (False, True)
    bench.publisher.pubsub.away = False
    assert bench.take(record).acked
    assert bench.results()[0].body == bench.stored_result()


def test_a_worker_that_stops_gives_back_what_it_holds() -> None:
    bench = Bench(hold_s=1000.0)
    record = bench.stored_record()
    bench.taker.stop_holding()
    bench.cnn.fails = TransientError("closed")
    assert bench.take(record).nacked


def test_a_bug_is_not_the_images_fault() -> None:
    bench = Bench()
    bench.cnn.fails = ZeroDivisionError()
    delivery = bench.take(bench.stored_record())
    assert (delivery.acked, delivery.nacked) == (False, True)
    assert bench.results() == bench.dead() == []
