"""What every `EventPublisher` and `EventSubscriber` promise together."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from digiscope_cloud.adapters.pubsub_publisher import PubsubPublisher
from digiscope_cloud.adapters.pubsub_subscriber import PubsubSubscriber
from digiscope_cloud.ports import Delivery, EventPublisher, EventSubscriber
from digiscope_cloud.settings import CloudSettings
from digiscope_shared.codec import Envelope
from digiscope_shared.errors import PermanentError, Reason, TransientError
from digiscope_shared.pubsub_topics import PubsubTopic, Subscription
from tests.support.fake_pubsub import FakeEventPublisher, FakeEventSubscriber, FakePubsub
from tests.support.waiting import wait_until

TEN_MEGABYTES = 10_000_000


@dataclass(frozen=True)
class Transport:
    publisher: EventPublisher
    subscriber: EventSubscriber


@dataclass
class Received:
    """Takes deliveries; `answer` decides how each one ends."""

    answer: Callable[[Delivery], None] = lambda delivery: delivery.ack()
    deliveries: list[Delivery] = field(default_factory=list)

    def __call__(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)
        self.answer(delivery)

    def bodies(self) -> list[bytes]:
        return [each.envelope.body for each in self.deliveries]


@pytest.fixture(params=["fake", "pubsub"])
def transport(request: pytest.FixtureRequest) -> Iterator[Transport]:
    if request.param == "fake":
        pubsub = FakePubsub()
        made = Transport(FakeEventPublisher(pubsub), FakeEventSubscriber(pubsub))
    else:
        settings = request.getfixturevalue("cloud")
        made = Transport(PubsubPublisher(settings), PubsubSubscriber(settings))
    yield made
    made.subscriber.close()


def start(transport: Transport, received: Received, subscription: Subscription) -> None:
    transport.subscriber.start(subscription, received, max_messages=200, max_bytes=64 * 1024 * 1024)


def test_attributes_and_body_arrive_as_they_were_sent(transport: Transport) -> None:
    # `topic`, `data` and `timeout` are names of parameters in Google's publishing function.
    envelope = Envelope(attributes={"schema": "x/1", "topic": "é", "data": "", "timeout": "7"}, body=b"\x00\xff")
    received = Received()
    start(transport, received, Subscription.CAPTURES_WORKER)
    transport.publisher.publish(PubsubTopic.CAPTURES, envelope)
    wait_until(lambda: received.deliveries, timeout_s=20, what="the message")
    assert received.deliveries[0].envelope == envelope


def test_nacked_comes_again(transport: Transport) -> None:
    received = Received(answer=lambda delivery: delivery.ack() if len(received.deliveries) > 2 else delivery.nack())
    start(transport, received, Subscription.CAPTURES_WORKER)
    transport.publisher.publish(PubsubTopic.CAPTURES, Envelope(attributes={}, body=b"again"))
    wait_until(lambda: len(received.deliveries) >= 3, timeout_s=30, what="three deliveries")
    assert received.bodies() == [b"again"] * 3
    assert received.deliveries[2].attempt == 3


def test_one_ordering_key_keeps_its_order(transport: Transport) -> None:
    received = Received()
    start(transport, received, Subscription.DEVICE_DIRECTIVES_BRIDGE)
    bodies = [str(number).encode() for number in range(30)]
    for body in bodies:
        transport.publisher.publish(
            PubsubTopic.DEVICE_DIRECTIVES, Envelope(attributes={}, body=body), ordering_key="device-1"
        )
    wait_until(lambda: len(received.deliveries) >= 30, timeout_s=30, what="thirty messages")
    assert received.bodies() == bodies


def test_a_backlog_over_four_megabytes_arrives(transport: Transport) -> None:
    for number in range(80):
        transport.publisher.publish(PubsubTopic.RESULTS, Envelope(attributes={"n": str(number)}, body=bytes(100_000)))
    received = Received()
    start(transport, received, Subscription.RESULTS_BRIDGE)
    wait_until(lambda: len(received.deliveries) >= 80, timeout_s=30, what="eight megabytes of backlog")


def test_close_waits_for_the_handler_that_runs(transport: Transport) -> None:
    entered, release, finished = threading.Event(), threading.Event(), threading.Event()

    def hold(delivery: Delivery) -> None:
        entered.set()
        release.wait(20)
        delivery.ack()
        finished.set()

    start(transport, Received(answer=hold), Subscription.CAPTURES_WORKER)
    transport.publisher.publish(PubsubTopic.CAPTURES, Envelope(attributes={}, body=b"slow"))
    assert entered.wait(20)
    closer = threading.Thread(target=transport.subscriber.close)
    closer.start()
    release.set()
    closer.join(20)
    assert not closer.is_alive()
    assert finished.is_set()


@pytest.mark.parametrize(
    ("envelope", "reason"),
    [
        (Envelope(attributes={"k": "v" * 1025}), Reason.BAD_ATTRIBUTES),
        (Envelope(attributes={"k" * 257: "v"}), Reason.BAD_ATTRIBUTES),
        (Envelope(attributes={"": "v"}), Reason.BAD_ATTRIBUTES),
        (Envelope(attributes={"googclient": "v"}), Reason.BAD_ATTRIBUTES),
        (Envelope(attributes={str(number): "v" for number in range(101)}), Reason.BAD_ATTRIBUTES),
        (Envelope(attributes={}), Reason.BAD_BODY),
        (Envelope(attributes={}, body=bytes(TEN_MEGABYTES)), Reason.TOO_LARGE),
    ],
)
def test_what_the_service_will_never_take_is_permanent(
    transport: Transport, envelope: Envelope, reason: Reason
) -> None:
    with pytest.raises(PermanentError) as caught:
        transport.publisher.publish(PubsubTopic.RESULTS, envelope)
    assert caught.value.reason == reason


def test_a_service_that_is_away_is_transient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:9")
    publisher = PubsubPublisher(CloudSettings(project="p", bucket="b"), timeout_s=0.5, confirm_within_s=1.0)
    with pytest.raises(TransientError):
        publisher.publish("captures", Envelope(attributes={"k": "v"}), ordering_key="device-1")


def test_a_topic_that_is_not_there_is_transient_and_then_found(cloud: CloudSettings) -> None:
    publisher = PubsubPublisher(cloud)
    with pytest.raises(TransientError):
        publisher.publish("nowhere", Envelope(attributes={"k": "v"}), ordering_key="device-1")
    publisher.publish(PubsubTopic.DEVICE_EVENTS, Envelope(attributes={"k": "v"}), ordering_key="device-1")
