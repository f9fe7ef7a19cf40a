"""States into shadows, telemetry into objects, on fakes."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from digiscope_cloud.fleet.events_desk import EventsDesk
from digiscope_cloud.fleet.shadow import MAX_CONFLICTS, Shadows
from digiscope_cloud.ports import ConflictError
from digiscope_shared.codec import Envelope, decode_json, encode_json
from digiscope_shared.errors import PermanentError, TransientError
from digiscope_shared.lifecycle import DeviceLifecycle
from digiscope_shared.messages import ConfigRefusal, DesiredConfig, DeviceState, TelemetryReading
from tests.support.fake_object_store import FakeObjectStore
from tests.support.fake_pubsub import FakeEventPublisher

READY = DeviceState(lifecycle=DeviceLifecycle.READY, boot_id="boot-1", reported_at="2026-01-01T12:00:05+00:00")


class Bench:
    def __init__(self) -> None:
        self.store = FakeObjectStore()
        self.publisher = FakeEventPublisher()
        self.shadows = Shadows(self.store, self.publisher)
        self.desk = EventsDesk(self.shadows, self.store, now=lambda: datetime(2026, 1, 1, tzinfo=UTC))

    def say(self, message: Any, channel: str = "state", device_id: str = "site-1") -> None:
        attributes = {"schema": message.SCHEMA, "device_id": device_id, "channel": channel}
        self.desk.answer(Envelope(attributes=attributes, body=encode_json(message)))

    def reported(self) -> DeviceState:
        reported = self.shadows.reported("site-1")
        assert reported is not None
        return reported.state

    def sent_versions(self) -> list[int]:
        return [
            decode_json(DesiredConfig, each.body).version
            for each in self.publisher.pubsub.on_topic("device-directives")
        ]


def test_the_newest_report_of_a_boot_is_kept_in_any_order() -> None:
    bench = Bench()
    older = replace(READY, reported_at="2026-01-01T12:00:01+00:00", outbox_captures=9)
    for state in (READY, older, READY):
        bench.say(state)
    assert bench.reported() == READY


def test_a_new_boot_counts_even_where_its_clock_is_behind() -> None:
    bench = Bench()
    bench.say(READY)
    reborn = replace(READY, boot_id="boot-2", reported_at="1970-01-01T00:00:09+00:00")
    bench.say(reborn)
    assert bench.reported() == reborn


def test_a_will_says_lost_and_nothing_else() -> None:
    bench = Bench()
    bench.say(replace(READY, outbox_captures=7))
    bench.say(DeviceState(lifecycle=DeviceLifecycle.LOST, boot_id="boot-1"))
    assert bench.reported() == replace(READY, outbox_captures=7, lifecycle=DeviceLifecycle.LOST)


def test_the_will_of_an_earlier_boot_comes_too_late() -> None:
    bench = Bench()
    bench.say(replace(READY, boot_id="boot-2"))
    bench.say(DeviceState(lifecycle=DeviceLifecycle.LOST, boot_id="boot-1"))
    assert bench.reported().lifecycle is DeviceLifecycle.READY


def test_who_missed_a_config_gets_it_again() -> None:
    bench = Bench()
    for number in range(3):
        bench.shadows.desire("site-1", {"a": number})
    bench.say(replace(READY, config_version=2))
    assert bench.sent_versions() == [3]
    assert bench.publisher.pubsub.published[0].ordering_key == "site-1"
    assert bench.publisher.pubsub.published[0].envelope.body == bench.store.read("devices/site-1/desired.json")[0]


@pytest.mark.parametrize(
    "state",
    [
        replace(READY, config_version=1),
        replace(READY, config_refused=ConfigRefusal(version=1, detail="unknown key")),
        replace(READY, lifecycle=DeviceLifecycle.STOPPED),
        replace(READY, lifecycle=DeviceLifecycle.LOST),
    ],
)
def test_nothing_is_sent_to_who_has_it_refused_it_or_is_gone(state: DeviceState) -> None:
    bench = Bench()
    bench.shadows.desire("site-1", {"a": 1})
    bench.say(state)
    assert bench.sent_versions() == []


def test_a_reading_is_kept_once() -> None:
    bench = Bench()
    reading = TelemetryReading(
        subject="s-1", metric="heart-rate", value=72, unit="/min", measured_at="2026-01-01T12:00:00Z"
    )
    bench.say(reading, "telemetry")
    bench.say(reading, "telemetry")
    bench.say(replace(reading, value=73), "telemetry")
    [first, second] = bench.store.list("telemetry/site-1/s-1/heart-rate/")
    kept = {decode_json(TelemetryReading, bench.store.read(each.name)[0]).value for each in (first, second)}
    assert kept == {72, 73}


def test_what_others_read_is_passed_over() -> None:
    bench = Bench()
    bench.say(READY, "responses")
    bench.say(READY, "something-new")
    assert bench.store.objects == {}


def test_an_event_without_a_device_or_with_another_body_is_permanent() -> None:
    bench = Bench()
    with pytest.raises(PermanentError):
        bench.say(READY, device_id="../else")
    with pytest.raises(PermanentError):
        bench.say(READY, "telemetry")


def test_two_who_change_a_config_at_once_both_count() -> None:
    bench = Bench()
    replace_once = bench.store.replace

    def lose_the_race(name: str, content: bytes, *, content_type: str, generation: int) -> Any:
        bench.store.replace = replace_once  # type: ignore[method-assign]
        bench.shadows.desire("site-1", {"theirs": 1})
        return replace_once(name, content, content_type=content_type, generation=generation)

    bench.store.replace = lose_the_race  # type: ignore[method-assign]
    desired = bench.shadows.desire("site-1", {"ours": 2})
    assert desired == DesiredConfig(version=2, config={"theirs": 1, "ours": 2})
    assert bench.shadows.desired("site-1") == desired


def test_a_race_that_is_lost_for_ever_is_transient() -> None:
    bench = Bench()
    attempts = []

    def conflict(name: str, content: bytes, *, content_type: str, generation: int) -> Any:
        attempts.append(name)
        raise ConflictError(name)

    bench.store.replace = conflict  # type: ignore[method-assign]
    with pytest.raises(TransientError):
        bench.shadows.desire("site-1", {"a": 1})
    assert len(attempts) == MAX_CONFLICTS


def test_devices_are_listed_once_each() -> None:
    bench = Bench()
    bench.shadows.desire("site-2", {"a": 1})
    bench.say(READY)
    bench.shadows.desire("site-1", {"a": 1})
    assert list(bench.shadows.device_ids()) == ["site-1", "site-2"]
