"""The fleet service's composition root."""

from typing import Final

import structlog

from digiscope_cloud.adapters.gcs_object_store import GcsObjectStore
from digiscope_cloud.adapters.pubsub_publisher import PubsubPublisher
from digiscope_cloud.adapters.pubsub_subscriber import PubsubSubscriber
from digiscope_cloud.dead_letters.writing import DeadLetters
from digiscope_cloud.delivery_taker import DeliveryTaker
from digiscope_cloud.fleet.events_desk import EventsDesk
from digiscope_cloud.fleet.settings import FleetSettings
from digiscope_cloud.fleet.shadow import Shadows
from digiscope_cloud.ports import EventPublisher, EventSubscriber, ObjectStore
from digiscope_shared.pubsub_topics import Subscription, dead_letter_id
from digiscope_shared.signing import SigningKey

log = structlog.get_logger()
MAX_LEASED_BYTES: Final = 16 * 1024 * 1024
CALLS_S: Final = 120.0


def open_shadows(settings: FleetSettings, *, signing_key: SigningKey | None = None) -> Shadows:
    """Return the shadows of a project's devices, for a command that ends soon."""
    publisher = PubsubPublisher(settings, confirm_within_s=10.0)
    return Shadows(GcsObjectStore(settings), publisher, signing_key=signing_key)


class FleetService:
    """Keeps shadows from `start` to `stop`."""

    def __init__(
        self,
        settings: FleetSettings,
        *,
        store: ObjectStore | None = None,
        publisher: EventPublisher | None = None,
        subscriber: EventSubscriber | None = None,
    ) -> None:
        self._settings = settings
        store = store or GcsObjectStore(settings)
        publisher = publisher or PubsubPublisher(settings)
        self._subscriber = subscriber or PubsubSubscriber(
            settings, threads=settings.threads, max_lease_s=settings.hold_s + CALLS_S, close_within_s=CALLS_S
        )
        desk = EventsDesk(Shadows(store, publisher), store)
        dead_letters = DeadLetters(publisher, dead_letter_id(Subscription.DEVICE_EVENTS_FLEET))
        self._taker = DeliveryTaker(desk.answer, dead_letters, hold_s=settings.hold_s)

    def start(self) -> None:
        self._subscriber.start(
            Subscription.DEVICE_EVENTS_FLEET,
            self._taker.take,
            max_messages=self._settings.leased_events,
            max_bytes=MAX_LEASED_BYTES,
        )
        log.info("fleet_ready")

    def stop(self) -> None:
        self._taker.stop_holding()
        self._subscriber.close()
        log.info("fleet_stopped")
