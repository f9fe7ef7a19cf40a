import threading

import pytest

from digiscope_cloud.bridge.byte_budget import ByteBudget
from digiscope_cloud.bridge.downlink import Downlink
from digiscope_cloud.bridge.lanes import Lanes
from digiscope_shared.backoff import Backoff
from digiscope_shared.codec import Envelope
from digiscope_shared.errors import Reason, TransientError
from digiscope_shared.pubsub_topics import Subscription, dead_letter_id
from tests.support.bridge_fakes import FakeDeviceDownlink
from tests.support.fake_pubsub import FakeDelivery, FakeEventPublisher, FakePubsub
from tests.support.waiting import wait_until


class Way:
    """The way down without its wires."""

    def __init__(self) -> None:
        self.pubsub, self.devices, self.stopping = FakePubsub(), FakeDeviceDownlink(), threading.Event()
        self.downlink = Downlink(
            devices=self.devices,
            publisher=FakeEventPublisher(self.pubsub),
            stopping=self.stopping,
            new_backoff=lambda: Backoff(base_s=0.001, cap_s=0.001, floor_s=0.001),
        )


def delivery(body: bytes = b"{}", **attributes: str) -> FakeDelivery:
    return FakeDelivery(envelope=Envelope(attributes=attributes, body=body))


def test_a_result_goes_to_its_device_and_is_acked_when_the_broker_took_it() -> None:
    way, result = Way(), delivery(b"result", device_id="dev-1", schema="s/1", capture_id="c")
    way.downlink.take_result(result)
    (sent,) = way.devices.sent
    assert (sent.mqtt_topic, sent.envelope, sent.retain) == (
        "digiscope/v1/devices/dev-1/results",
        result.envelope,
        False,
    )
    assert not result.acked
    assert sent.on_taken is not None
    sent.on_taken()
    assert result.acked


@pytest.mark.parametrize(
    ("attributes", "mqtt_topic", "retain", "expiry_s"),
    [
        ({"channel": "config"}, "digiscope/v1/devices/dev-1/config", True, None),
        (
            {"channel": "commands", "tail": "capture", "expiry_s": "30"},
            "digiscope/v1/devices/dev-1/commands/capture",
            False,
            30,
        ),
        ({"channel": "model", "tail": "ab12"}, "digiscope/v1/devices/dev-1/model/ab12", False, None),
    ],
)
def test_directives_go_where_they_say(
    attributes: dict[str, str],
    mqtt_topic: str,
    retain: bool,  # noqa: FBT001 (pytest's parameters)
    expiry_s: int | None,
) -> None:
    way, directive = Way(), delivery(b"body", device_id="dev-1", correlation_data="c-1", **attributes)
    way.downlink.take_directive(directive)
    (sent,) = way.devices.sent
    assert (sent.mqtt_topic, sent.retain, sent.expiry_s) == (mqtt_topic, retain, expiry_s)
    assert sent.envelope == Envelope(attributes={"device_id": "dev-1", "correlation_data": "c-1"}, body=b"body")


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"device_id": "dev-1", "channel": "captures"}, Reason.BAD_TOPIC),
        ({"device_id": "dev-1", "channel": "commands"}, Reason.BAD_TOPIC),
        ({"device_id": "dev-1", "channel": "commands", "tail": "#"}, Reason.BAD_TOPIC),
        ({"device_id": "+", "channel": "config"}, Reason.BAD_ATTRIBUTES),
        ({"channel": "config"}, Reason.BAD_ATTRIBUTES),
        ({"device_id": "dev-1", "channel": "config", "expiry_s": "soon"}, Reason.BAD_ATTRIBUTES),
        ({"device_id": "dev-1", "channel": "config", "expiry_s": "9" * 30}, Reason.BAD_ATTRIBUTES),
        ({}, Reason.BAD_TOPIC),
    ],
)
def test_directives_that_can_go_nowhere_are_dead_lettered(attributes: dict[str, str], reason: Reason) -> None:
    way, directive = Way(), delivery(b"body", **attributes)
    way.downlink.take_directive(directive)
    (dead,) = way.pubsub.on_topic(dead_letter_id(Subscription.DEVICE_DIRECTIVES_BRIDGE))
    assert (dead.attributes["dead_reason"], dead.body) == (reason, b"body")
    assert directive.acked
    assert way.devices.sent == []


def test_while_the_broker_is_away_a_result_waits() -> None:
    way, result = Way(), delivery(b"result", device_id="dev-1")
    way.devices.away = True
    thread = threading.Thread(target=way.downlink.take_result, args=(result,))
    thread.start()
    way.devices.away = False
    wait_until(lambda: way.devices.sent, what="it is sent")
    thread.join(5)
    assert (result.acked, result.nacked) == (False, False)


def test_what_waits_when_the_bridge_stops_is_given_back() -> None:
    way, result = Way(), delivery(b"result", device_id="dev-1")
    way.devices.away = True
    thread = threading.Thread(target=way.downlink.take_result, args=(result,))
    thread.start()
    way.stopping.set()
    thread.join(5)
    assert result.nacked


def test_what_the_broker_refuses_is_given_back() -> None:
    way, result = Way(), delivery(b"result", device_id="dev-1")
    way.downlink.take_result(result)
    on_refused = way.devices.sent[0].on_refused
    assert on_refused is not None
    on_refused("Not authorized")
    assert result.nacked


def test_a_byte_budget_lets_wait_who_asks_for_more_than_is_left() -> None:
    budget, second_holds = ByteBudget(100), threading.Event()

    def hold() -> None:
        with budget.holding(60):
            second_holds.set()

    thread = threading.Thread(target=hold)
    with budget.holding(60):
        thread.start()
        assert not second_holds.wait(0.05)
    assert second_holds.wait(5)
    thread.join(5)
    assert budget.peak_bytes == 60


def test_a_closed_byte_budget_sends_away_who_waits() -> None:
    budget, seen = ByteBudget(100), list[Exception]()

    def hold() -> None:
        try:
            with budget.holding(60):
                pass
        except TransientError as error:
            seen.append(error)

    with budget.holding(60):
        thread = threading.Thread(target=hold)
        thread.start()
        budget.close()
        thread.join(5)
    assert len(seen) == 1


def test_lanes_keep_the_order_of_a_key_and_leave_the_rest_at_the_end() -> None:
    handled: list[tuple[str, int]] = []
    gate = threading.Event()

    def handle(item: tuple[str, int]) -> None:
        assert gate.wait(5)
        handled.append(item)

    lanes = Lanes(4, handle, key_of=lambda item: item[0])
    lanes.start()
    items = [(key, number) for number in range(20) for key in "abcdef"]
    for item in items:
        lanes.put(item)
    gate.set()
    wait_until(lambda: len(handled) == len(items), what="all are handled")
    for key in "abcdef":
        assert [number for name, number in handled if name == key] == list(range(20))
    gate.clear()
    lanes.put(("a", 100))
    lanes.put(("a", 101))
    stopped = list[bool]()
    stopper = threading.Thread(target=lambda: stopped.append(lanes.stop(5)))
    stopper.start()
    wait_until(lanes._stopped.is_set, what="the lanes are stopping")
    gate.set()
    stopper.join(10)
    assert stopped == [True]
    assert ("a", 101) not in handled
