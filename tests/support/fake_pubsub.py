"""Pub/Sub in memory: a `FakePubsub` between a `FakeEventPublisher` and a `FakeEventSubscriber`."""

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from digiscope_cloud.adapters.pubsub_publisher import check_limits
from digiscope_cloud.ports import Delivery
from digiscope_shared.codec import Envelope
from digiscope_shared.errors import TransientError
from digiscope_shared.pubsub_topics import TOPIC_OF, Subscription


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What was published, in order."""

    pubsub_topic_id: str
    envelope: Envelope
    ordering_key: str = ""


class FakePubsub:
    """Holds what was published, and a queue for each subscription that provisioning would create."""

    def __init__(self) -> None:
        self.published: list[Published] = []
        self.queues: dict[str, queue.Queue[FakeDelivery]] = {name: queue.Queue() for name in TOPIC_OF}
        self.away = False

    def put(self, published: Published) -> None:
        if self.away:
            raise TransientError("the fake Pub/Sub is away")
        self.published.append(published)
        for subscription, pubsub_topic_id in TOPIC_OF.items():
            if pubsub_topic_id == published.pubsub_topic_id:
                waiting = self.queues[subscription]
                waiting.put(FakeDelivery(envelope=published.envelope, nacked_to=waiting))

    def on_topic(self, pubsub_topic_id: str) -> list[Envelope]:
        return [each.envelope for each in self.published if each.pubsub_topic_id == pubsub_topic_id]


@dataclass(slots=True, kw_only=True)
class FakeDelivery:
    """A delivery that remembers how it ended."""

    envelope: Envelope
    attempt: int = 1
    acked: bool = False
    nacked: bool = False
    nacked_to: "queue.Queue[FakeDelivery] | None" = field(default=None, repr=False)

    def ack(self) -> None:
        self.acked = True

    def nack(self) -> None:
        self.nacked = True
        if self.nacked_to is not None:
            again = FakeDelivery(envelope=self.envelope, attempt=self.attempt + 1, nacked_to=self.nacked_to)
            self.nacked_to.put(again)


class FakeEventPublisher:
    """An `EventPublisher` in memory."""

    def __init__(self, pubsub: FakePubsub | None = None) -> None:
        self.pubsub = pubsub or FakePubsub()

    def publish(self, pubsub_topic_id: str, envelope: Envelope, *, ordering_key: str = "") -> None:
        check_limits(envelope)
        self.pubsub.put(Published(pubsub_topic_id=pubsub_topic_id, envelope=envelope, ordering_key=ordering_key))


class FakeEventSubscriber:
    """An `EventSubscriber` in memory, with one delivering thread for each subscription."""

    def __init__(self, pubsub: FakePubsub) -> None:
        self._pubsub = pubsub
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(
        self, subscription: Subscription, on_delivery: Callable[[Delivery], None], *, max_messages: int, max_bytes: int
    ) -> None:
        thread = threading.Thread(target=self._deliver, args=(self._pubsub.queues[subscription], on_delivery))
        self._threads.append(thread)
        thread.start()

    def close(self) -> None:
        self._closing.set()
        for thread in self._threads:
            thread.join(timeout=10)

    def _deliver(self, waiting: "queue.Queue[FakeDelivery]", on_delivery: Callable[[Delivery], None]) -> None:
        while not self._closing.is_set():
            try:
                delivery = waiting.get(timeout=0.02)
            except queue.Empty:
                continue
            on_delivery(delivery)
