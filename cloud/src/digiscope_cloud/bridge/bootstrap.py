"""The bridge's composition root: every outside thing has its production default here."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from digiscope_cloud.adapters.gcs_object_store import GcsObjectStore
from digiscope_cloud.adapters.pubsub_publisher import PubsubPublisher
from digiscope_cloud.adapters.pubsub_subscriber import PubsubSubscriber
from digiscope_cloud.audit_log.bootstrap import open_audit_log
from digiscope_cloud.bridge.byte_budget import ByteBudget
from digiscope_cloud.bridge.capture_desk import CaptureDesk
from digiscope_cloud.bridge.downlink import Downlink
from digiscope_cloud.bridge.lanes import Lanes
from digiscope_cloud.bridge.result_desk import ResultDesk
from digiscope_cloud.bridge.settings import BridgeSettings
from digiscope_cloud.bridge.uplink import Uplink, lane_key
from digiscope_cloud.bridge.uplink_desk import UplinkDesk
from digiscope_cloud.dead_letters.writing import DeadLetters
from digiscope_cloud.ports import EventPublisher, EventSubscriber, ObjectStore
from digiscope_shared import mqtt_topics
from digiscope_shared.mqtt import IncomingMessage, LinkStatus, MqttSession
from digiscope_shared.pubsub_topics import UPLINK_DEAD, Subscription

_log = structlog.get_logger()


class Bridge:
    """Carries messages from `start` to `stop`."""

    def __init__(
        self,
        settings: BridgeSettings,
        *,
        store: ObjectStore | None = None,
        publisher: EventPublisher | None = None,
        subscriber: EventSubscriber | None = None,
        utc_now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._stopping = threading.Event()
        self._fatal: LinkStatus | None = None
        self._assembly = ByteBudget(settings.assembly_bytes)
        self._session = MqttSession(
            settings.mqtt,
            client_id=settings.client_id,
            topic_filters=mqtt_topics.topic_filters_of_bridge(settings.shared_as),
            on_message=self._on_message,
            on_link=self._on_link,
            receive_maximum=settings.receive_maximum,
            max_unacked_bytes=settings.uplink_bytes,
        )
        store = store or GcsObjectStore(settings)
        publisher = publisher or PubsubPublisher(settings)
        audit_log = open_audit_log(settings.audit_log_file)
        captures = CaptureDesk(
            store=store, publisher=publisher, assembly=self._assembly, utc_now=utc_now, audit_log=audit_log
        )
        results = ResultDesk(store=store, publisher=publisher, downlink=self._session)
        uplink = Uplink(
            desk=UplinkDesk(captures=captures, results=results, publisher=publisher),
            dead_letters=DeadLetters(publisher, UPLINK_DEAD),
            audit_log=audit_log,
            downlink=self._session,
            stopping=self._stopping,
        )
        self._lanes: Lanes[IncomingMessage] = Lanes(settings.lanes, uplink.handle, key_of=lane_key)
        self._downlink = Downlink(devices=self._session, publisher=publisher, stopping=self._stopping)
        self._subscriber = subscriber or PubsubSubscriber(settings, close_within_s=settings.stop_within_s)

    @property
    def fatal(self) -> LinkStatus | None:
        """Return why the broker's link has ended for good; None while it may come back."""
        return self._fatal

    @property
    def assembly_peak_bytes(self) -> int:
        return self._assembly.peak_bytes

    def is_alive(self) -> bool:
        return self._session.is_alive() and self._lanes.is_alive()

    def start(self) -> None:
        self._lanes.start()
        self._session.start()
        for subscription, take in (
            (Subscription.RESULTS_BRIDGE, self._downlink.take_result),
            (Subscription.DEVICE_DIRECTIVES_BRIDGE, self._downlink.take_directive),
        ):
            self._subscriber.start(
                subscription,
                take,
                max_messages=self._settings.downlink_messages,
                max_bytes=self._settings.downlink_bytes // 2,
            )

    def stop(self) -> None:
        """Begin nothing new, finish what runs within the deadline, leave the rest with the broker and Pub/Sub."""
        self._stopping.set()
        self._assembly.close()
        finished = self._lanes.stop(self._settings.stop_within_s)
        self._subscriber.close()
        self._session.stop(self._settings.stop_within_s / 2)
        _log.info("bridge_stopped", finished=finished, assembly_peak_bytes=self._assembly.peak_bytes)

    def _on_message(self, message: IncomingMessage) -> None:
        self._lanes.put(message)

    def _on_link(self, status: LinkStatus) -> None:
        if status.fatal:
            self._fatal = status
