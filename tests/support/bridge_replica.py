"""A bridge on fakes, from the message that came to what it stored, published and answered."""

import threading
from datetime import UTC, datetime
from typing import Any

from digiscope_cloud.bridge.byte_budget import ByteBudget
from digiscope_cloud.bridge.capture_desk import CaptureDesk
from digiscope_cloud.bridge.result_desk import ResultDesk
from digiscope_cloud.bridge.uplink import Uplink
from digiscope_cloud.bridge.uplink_desk import UplinkDesk
from digiscope_cloud.dead_letters.writing import DeadLetters
from digiscope_shared import codec
from digiscope_shared.backoff import Backoff
from digiscope_shared.codec import Envelope
from digiscope_shared.messages import CaptureRecord, ReceiptKind
from digiscope_shared.pubsub_topics import UPLINK_DEAD, PubsubTopic
from tests.support.bridge_fakes import AckCount, FakeDeviceDownlink, from_device
from tests.support.fake_object_store import FakeObjectStore
from tests.support.fake_pubsub import FakeEventPublisher, FakePubsub


class Replica:
    """One bridge replica without its wires."""

    def __init__(self, store: FakeObjectStore | None = None, pubsub: FakePubsub | None = None) -> None:
        self.store = store or FakeObjectStore()
        self.pubsub = pubsub or FakePubsub()
        self.downlink = FakeDeviceDownlink()
        self.stopping = threading.Event()
        self.assembly = ByteBudget(64 * 1024 * 1024)
        publisher = FakeEventPublisher(self.pubsub)
        self.desk = CaptureDesk(
            store=self.store,
            publisher=publisher,
            assembly=self.assembly,
            utc_now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
        )
        self.uplink = Uplink(
            desk=UplinkDesk(
                captures=self.desk,
                results=ResultDesk(store=self.store, publisher=publisher, downlink=self.downlink),
                publisher=publisher,
            ),
            dead_letters=DeadLetters(publisher, UPLINK_DEAD),
            downlink=self.downlink,
            stopping=self.stopping,
            new_backoff=lambda: Backoff(base_s=0.001, cap_s=0.001, floor_s=0.001),
        )

    def handle(self, envelope: Envelope, **options: Any) -> AckCount:
        message, acks = from_device(envelope, **options)
        self.uplink.handle(message)
        return acks

    def kinds(self) -> list[ReceiptKind]:
        return [receipt.kind for receipt in self.downlink.receipts()]

    def dead(self) -> list[Envelope]:
        return self.pubsub.on_topic(UPLINK_DEAD)

    def records(self) -> list[CaptureRecord]:
        return [codec.decode_json(CaptureRecord, each.body) for each in self.pubsub.on_topic(PubsubTopic.CAPTURES)]
