"""Where a capture is, stage by stage, on fakes."""

import pytest

from digiscope_cloud.audit_log.entries import NoAuditLog
from digiscope_cloud.bridge.directive_downlink import DirectiveDownlink
from digiscope_cloud.bridge.result_desk import ResultDesk
from digiscope_cloud.bridge.uplink_desk import UplinkDesk
from digiscope_cloud.dead_letters.desk import DeadLetterDesk
from digiscope_cloud.dead_letters.replay import Replayer
from digiscope_cloud.dead_letters.writing import DeadLetters
from digiscope_cloud.fleet.reported import ReportedState
from digiscope_cloud.fleet.shadow import Shadows
from digiscope_cloud.ports import NotFoundError
from digiscope_cloud.trace.tracer import CaptureTrace, Tracer
from digiscope_shared import codec, object_names
from digiscope_shared.codec import Envelope
from digiscope_shared.errors import PermanentError, Reason
from digiscope_shared.lifecycle import DeviceLifecycle
from digiscope_shared.messages import AnalysisResult, DeviceState, Refusal, StepName, TraceStep, Triage
from digiscope_shared.pubsub_topics import Subscription, dead_letter_id
from tests.support.bridge_fakes import parts_of
from tests.support.bridge_replica import Replica
from tests.support.fake_letter_box import FakeLetterBox
from tests.support.fake_pubsub import FakeEventPublisher

IMAGE = bytes(range(256)) * 1200


class Scene:
    """A bridge that takes captures, and what traces them."""

    def __init__(self) -> None:
        self.bridge = Replica()
        self.parts = parts_of(IMAGE, parts=3)
        self.capture_id = self.parts[0].attributes["capture_id"]
        self.store = self.bridge.store
        self.publisher = FakeEventPublisher(self.bridge.pubsub)
        self.shadows = Shadows(self.store, self.publisher)
        downlink = DirectiveDownlink(self.publisher)
        results = ResultDesk(store=self.store, publisher=self.publisher, downlink=downlink)
        uplink = UplinkDesk(captures=self.bridge.desk, results=results, publisher=self.publisher)
        replayer = Replayer(publisher=self.publisher, uplink=uplink, downlink=downlink)
        box = FakeLetterBox(self.bridge.pubsub)
        desk = DeadLetterDesk(box=box, replayer=replayer, audit_log=NoAuditLog(), actor="")
        self.tracer = Tracer(store=self.store, dead_letters=desk, shadows=self.shadows)

    def send(self, *numbers: int) -> None:
        for number in numbers:
            self.bridge.handle(self.parts[number])

    def answer(self, triage: Triage = Triage.REVIEW, refusal: Refusal | None = None) -> None:
        result = AnalysisResult(
            capture_id=self.capture_id,
            device_id="dev-1",
            image_sha256="",
            model_digest="d",
            model_id="model-1",
            triage=triage,
            refusal=refusal,
            analysed_at="2026-01-01T00:01:00+00:00",
            traceparent="",
            stage_ms={"fetch": 3.2, "cnn": 18.6},
        )
        name = object_names.result(self.capture_id, "d")
        self.store.create(name, codec.encode_json(result), content_type="application/json")

    def bury(self, subscription: Subscription) -> None:
        dead_letters = DeadLetters(self.publisher, dead_letter_id(subscription))
        attributes = {"capture_id": self.capture_id, "device_id": "dev-1"}
        dead_letters.bury(Envelope(attributes=attributes, body=b"{}"), PermanentError(Reason.BAD_BODY, "why"))

    def trace(self, *account: TraceStep) -> CaptureTrace:
        return self.tracer.trace(self.capture_id, account)


def names(found: CaptureTrace) -> list[StepName]:
    return [step.name for step in found.steps]


def on_device(capture_id: str, *steps: StepName) -> list[TraceStep]:
    return [TraceStep(capture_id=capture_id, where="device", name=name, at="1970-01-01") for name in steps]


def test_a_capture_that_nobody_knows_is_an_error() -> None:
    scene = Scene()
    with pytest.raises(NotFoundError):
        scene.trace(*on_device("another", StepName.ACCEPTED))


def test_what_only_the_device_knows_is_in_its_outbox() -> None:
    scene = Scene()
    found = scene.trace(*on_device(scene.capture_id, StepName.ACCEPTED))
    assert names(found) == [StepName.ACCEPTED]
    assert "outbox" in found.standing.holder
    assert (found.device_id, found.reported) == ("", None)


def test_parts_are_counted_at_the_time_of_the_newest() -> None:
    scene = Scene()
    scene.send(0, 1)
    (step,) = scene.trace().steps
    assert (step.name, step.detail, step.at) == (
        StepName.PARTS_STORED,
        "2 of 3 parts",
        "2026-01-01T00:00:02.000+00:00",
    )
    assert scene.trace().device_id == "dev-1"


def test_a_stored_capture_waits_for_the_worker_and_its_record_says_when_it_was_taken() -> None:
    scene = Scene()
    scene.send(0, 1, 2)
    found = scene.trace()
    assert names(found) == [StepName.ACCEPTED, StepName.PARTS_STORED, StepName.IMAGE_STORED, StepName.RECORDED]
    assert (found.steps[0].at, found.steps[0].where) == ("2026-01-01T00:00:00Z", "device")
    assert found.standing.next_step == "the worker analyses it"


def test_an_answered_capture_shows_its_stages_and_waits_for_the_device() -> None:
    scene = Scene()
    scene.send(0, 1, 2)
    scene.store.create(object_names.overlay(scene.capture_id), b"png", content_type="image/png")
    scene.answer()
    found = scene.trace()
    assert names(found)[-2:] == [StepName.OVERLAY_STORED, StepName.ANALYSED]
    assert found.steps[-1].detail == "review by model-1; ms: fetch 3, cnn 19"
    assert "device shows it" in found.standing.next_step


def test_a_refusal_is_an_answer_with_its_reason() -> None:
    scene = Scene()
    scene.send(0, 1, 2)
    scene.answer(Triage.RETAKE, Refusal(reason=Reason.UNREADABLE_IMAGE, detail="torn"))
    assert scene.trace().steps[-1].detail.startswith("retake (unreadable-image: torn) by model-1")


def test_both_accounts_make_one_way() -> None:
    scene = Scene()
    scene.send(0, 1, 2)
    scene.answer()
    device = on_device(scene.capture_id, StepName.ACCEPTED, StepName.SENT, StepName.RECEIPT, StepName.SHOWN)
    found = scene.trace(*device)
    assert names(found) == [
        StepName.ACCEPTED,
        StepName.SENT,
        StepName.PARTS_STORED,
        StepName.IMAGE_STORED,
        StepName.RECORDED,
        StepName.RECEIPT,
        StepName.ANALYSED,
        StepName.SHOWN,
    ]
    assert found.standing.next_step == "nothing: it was shown"


def test_a_receipt_without_a_record_raises_the_alarm() -> None:
    scene = Scene()
    found = scene.trace(*on_device(scene.capture_id, StepName.ACCEPTED, StepName.RECEIPT))
    assert found.standing.holder.startswith("nobody who was asked")


@pytest.mark.parametrize(
    ("subscription", "expected"),
    [
        (Subscription.CAPTURES_WORKER, StepName.UNANALYSED),
        (Subscription.RESULTS_BRIDGE, StepName.UNDELIVERED),
        (Subscription.DEVICE_DIRECTIVES_BRIDGE, StepName.UNDELIVERED),
    ],
)
def test_dead_letters_stand_in_its_way(subscription: Subscription, expected: StepName) -> None:
    scene = Scene()
    scene.send(0, 1, 2)
    scene.bury(subscription)
    found = scene.trace()
    assert expected in names(found)
    assert "replays the letter" in found.standing.next_step


def test_a_refused_part_is_held_by_the_device_and_its_letter_is_named() -> None:
    scene = Scene()
    (part,) = parts_of(IMAGE[:1000], capture_id=scene.capture_id, image_sha256="0" * 64)
    scene.bridge.handle(part)
    found = scene.trace()
    assert names(found) == [StepName.REFUSED]
    assert "in uplink-dead: wrong-hash" in found.steps[0].detail
    assert (found.device_id, "outbox" in found.standing.holder) == ("dev-1", True)


def test_the_devices_last_state_is_told() -> None:
    scene = Scene()
    scene.send(0, 1, 2)
    state = DeviceState(lifecycle=DeviceLifecycle.READY, boot_id="b", outbox_captures=4)
    scene.shadows.report("dev-1", lambda _: ReportedState(device_id="dev-1", received_at="now", state=state))
    reported = scene.trace().reported
    assert reported is not None
    assert reported.state.outbox_captures == 4
