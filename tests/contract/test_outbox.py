"""The port Outbox: one suite on FakeOutbox and on SqliteOutbox."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from digiscope_edge.adapters.sqlite_outbox import SqliteOutbox
from digiscope_edge.captures import ImageState
from digiscope_edge.ports import Outbox, OutboxFullError
from digiscope_shared.lifecycle import CaptureEvent, CaptureState, IllegalStepError
from digiscope_shared.messages import DesiredConfig, TelemetryReading
from tests.support.fake_outbox import FakeOutbox
from tests.support.new_captures import new_capture, new_result

MakeOutbox: TypeAlias = Callable[..., Outbox]


@pytest.fixture(params=["fake", "sqlite"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> MakeOutbox:
    def build(*, limit_bytes: int = 2**30) -> Outbox:
        if request.param == "fake":
            return FakeOutbox(limit_bytes=limit_bytes)
        outbox = SqliteOutbox(tmp_path / "state", limit_bytes=limit_bytes)
        request.addfinalizer(outbox.close)
        return outbox

    return build


def test_an_accepted_capture_is_held_with_its_details(make: MakeOutbox) -> None:
    outbox, capture = make(), new_capture(1)
    held = outbox.accept(capture)
    assert outbox.find(capture.capture_id) == held
    assert (held.state, held.image, held.attributes.sequence) == (CaptureState.ACCEPTED, ImageState.HELD, 1)
    assert (held.attributes.subject, held.attributes.age) == ("S-1", 61)
    assert outbox.read_image(capture.capture_id) == capture.content
    assert outbox.knows_image(held.attributes.image_sha256)


def test_accepting_twice_changes_nothing(make: MakeOutbox) -> None:
    outbox, capture = make(), new_capture(1)
    assert outbox.accept(capture) == outbox.accept(capture)
    assert outbox.load().captures == 1
    assert outbox.last_sequence() == 1


def test_a_full_outbox_refuses_without_a_gap_in_sequence(make: MakeOutbox) -> None:
    outbox = make(limit_bytes=10)
    first = outbox.accept(new_capture(1, b"12345678"))
    with pytest.raises(OutboxFullError):
        outbox.accept(new_capture(2, b"12345678"))
    assert outbox.read_image(first.capture_id) == b"12345678"
    outbox.advance(first.capture_id, CaptureEvent.STORED_RECEIVED)
    assert outbox.accept(new_capture(3, b"12345678")).attributes.sequence == 2


def test_only_custody_frees_the_image(make: MakeOutbox) -> None:
    outbox = make()
    capture_id = outbox.accept(new_capture(1)).capture_id
    sending = outbox.advance(capture_id, CaptureEvent.PART_SENT)
    assert sending is not None
    assert sending.image is ImageState.HELD
    stored = outbox.advance(capture_id, CaptureEvent.STORED_RECEIVED)
    assert stored is not None
    assert (stored.state, stored.image) == (CaptureState.STORED, ImageState.FREED)
    assert outbox.load().captures == 0
    assert [capture.capture_id for capture in outbox.open_captures()] == [capture_id]


def test_a_result_proves_custody_and_counts_once_a_model(make: MakeOutbox) -> None:
    outbox = make()
    capture_id = outbox.accept(new_capture(1)).capture_id
    assert outbox.answer(new_result(capture_id))
    assert not outbox.answer(new_result(capture_id))
    assert outbox.answer(new_result(capture_id, "e" * 64))
    assert len(outbox.results(capture_id)) == 2
    answered = outbox.find(capture_id)
    assert answered is not None
    assert (answered.state, answered.image) == (CaptureState.ANSWERED, ImageState.FREED)
    assert outbox.open_captures() == []


def test_a_result_of_an_unknown_capture_is_no_news(make: MakeOutbox) -> None:
    outbox = make()
    assert not outbox.answer(new_result(new_capture(1).capture_id))
    assert outbox.advance(new_capture(2).capture_id, CaptureEvent.STORED_RECEIVED) is None


def test_a_rejected_image_stays_until_a_person_discards_it(make: MakeOutbox) -> None:
    outbox = make()
    capture_id = outbox.accept(new_capture(1)).capture_id
    assert not outbox.discard(capture_id)
    rejected = outbox.advance(capture_id, CaptureEvent.REJECTED_RECEIVED, reason="bad-part", detail="too large")
    assert rejected is not None
    assert (rejected.reason, rejected.detail) == ("bad-part", "too large")
    assert (outbox.load().captures, outbox.load().rejected) == (1, 1)
    assert outbox.discard(capture_id)
    assert outbox.load().captures == 0


def test_a_rejected_capture_that_was_replayed_is_freed(make: MakeOutbox) -> None:
    outbox = make()
    for number in (1, 2):
        capture_id = outbox.accept(new_capture(number)).capture_id
        outbox.advance(capture_id, CaptureEvent.REJECTED_RECEIVED, reason="bad-part", detail="too large")
        if number == 2:
            assert outbox.discard(capture_id)
        stored = outbox.advance(capture_id, CaptureEvent.STORED_RECEIVED)
        assert stored is not None
        assert (stored.state, stored.image, stored.reason) == (CaptureState.STORED, ImageState.FREED, "")
    assert outbox.load().rejected == 0
    with pytest.raises(IllegalStepError):
        outbox.advance(capture_id, CaptureEvent.REJECTED_RECEIVED)


def test_parts_are_cut_once(make: MakeOutbox) -> None:
    outbox = make()
    capture_id = outbox.accept(new_capture(1)).capture_id
    outbox.cut(capture_id, 100)
    outbox.cut(capture_id, 200)
    found = outbox.find(capture_id)
    assert found is not None
    assert found.part_bytes == 100


def test_the_last_good_config_stays_beside_a_refusal(make: MakeOutbox) -> None:
    outbox = make()
    assert outbox.config().applied is None
    good = DesiredConfig(version=3, config={"prescreen": False})
    outbox.keep_config(good)
    outbox.keep_config_refusal(4, "unknown key 'x'")
    memory = outbox.config()
    assert (memory.applied, memory.refused_version, memory.refused_detail) == (good, 4, "unknown key 'x'")
    outbox.keep_config(DesiredConfig(version=5))
    assert outbox.config().refused_version == 0


def test_readings_are_numbered_without_gaps_and_never_twice(make: MakeOutbox) -> None:
    outbox = make()
    reading = TelemetryReading(subject="S-1", metric="heart-rate", value=72, unit="/min", measured_at="now")
    assert [outbox.add_reading(reading).sequence for _ in range(3)] == [1, 2, 3]
    for number in (1, 2, 3):
        outbox.drop_reading(number)
    assert outbox.add_reading(reading).sequence == 4
    assert [kept.sequence for kept in outbox.readings(after=0, limit=9)] == [4]
