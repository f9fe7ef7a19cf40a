"""Pub/Sub's streaming pull as an `EventSubscriber`, supervised: an ended stream is opened again."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, Final

import structlog
from google.api_core import exceptions as google_errors
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.cloud import pubsub_v1
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from digiscope_cloud.adapters.pubsub_channel import client_arguments, emulator_host
from digiscope_cloud.adapters.turn_scheduler import TurnScheduler
from digiscope_cloud.ports import Delivery
from digiscope_cloud.settings import CloudSettings
from digiscope_shared.backoff import Backoff
from digiscope_shared.codec import Envelope
from digiscope_shared.errors import SettingsError
from digiscope_shared.pubsub_topics import Subscription

log = structlog.get_logger()
STABLE_AFTER_S: Final = 60.0
# Leases are extended by this much at a time: it is what a killed process costs before its messages go to another.
LEASE_EXTENSION_S: Final = 30
# The emulator (0.8.20) hands messages to streams that were closed or killed, again and again, and each time costs a
# lease: the least that Pub/Sub takes.
EMULATOR_LEASE_EXTENSION_S: Final = 10


class PubsubDelivery:
    """One delivery, as Google's client hands it over."""

    def __init__(self, message: Any) -> None:
        self._message = message
        self.envelope = Envelope(attributes=dict(message.attributes), body=message.data)
        self.attempt: int = message.delivery_attempt or 0

    def ack(self) -> None:
        self._message.ack()

    def nack(self) -> None:
        self._message.nack()


class PubsubSubscriber:
    """Delivers on `threads` threads, devices in turn and at most `per_device` of one device at once.

    `max_lease_s` must outlive the slowest handling.
    """

    def __init__(
        self,
        settings: CloudSettings,
        *,
        threads: int = 8,
        per_device: int = 8,
        max_lease_s: float = 3600.0,
        close_within_s: float = 30.0,
    ) -> None:
        self._project = settings.project
        self._threads, self._per_device = threads, per_device
        self._max_lease_s = max_lease_s
        self._close_within_s = close_within_s
        self._client = subscriber_client()
        self._closing = threading.Event()
        self._supervisors: list[threading.Thread] = []

    def start(
        self, subscription: Subscription, on_delivery: Callable[[Delivery], None], *, max_messages: int, max_bytes: int
    ) -> None:
        flow_control = pubsub_v1.types.FlowControl(
            max_messages=max_messages,
            max_bytes=max_bytes,
            max_lease_duration=self._max_lease_s,
            max_duration_per_lease_extension=EMULATOR_LEASE_EXTENSION_S if emulator_host() else LEASE_EXTENSION_S,
        )
        supervisor = threading.Thread(
            target=self._supervise, args=(subscription, on_delivery, flow_control), name=f"pull-{subscription}"
        )
        self._supervisors.append(supervisor)
        supervisor.start()

    def close(self) -> None:
        self._closing.set()
        for supervisor in self._supervisors:
            supervisor.join()
        self._client.close()

    def _supervise(self, subscription: str, on_delivery: Callable[[Delivery], None], flow_control: Any) -> None:
        backoff = Backoff(cap_s=30.0)
        while not self._closing.is_set():
            opened_at = time.monotonic()
            try:
                self._pull(subscription, on_delivery, flow_control)
            except (google_errors.GoogleAPIError, GoogleAuthError, CancelledError) as error:
                log.warning("pull_ended", subscription=subscription, error=f"{type(error).__name__}: {error}")
            except Exception:  # the stream's own threads raise what they like, and a dead pull is a dead process
                log.exception("pull_failed", subscription=subscription)
            if time.monotonic() - opened_at > STABLE_AFTER_S:
                backoff.reset()
            self._closing.wait(backoff.next_delay_s())

    def _pull(self, subscription: str, on_delivery: Callable[[Delivery], None], flow_control: Any) -> None:
        """Hold one stream until it ends or `close` is called."""
        future = self._client.subscribe(
            self._client.subscription_path(self._project, subscription),
            callback=lambda message: on_delivery(PubsubDelivery(message)),
            flow_control=flow_control,
            scheduler=TurnScheduler(self._threads, per_device=self._per_device, name=subscription),
            await_callbacks_on_shutdown=True,
        )
        log.info("pull_opened", subscription=subscription)
        ended = threading.Event()
        future.add_done_callback(lambda _: ended.set())
        while not ended.wait(0.2):
            if self._closing.is_set():
                future.cancel()
                break
        try:
            future.result(timeout=self._close_within_s)
        except FutureTimeoutError:
            log.warning("handlers_still_running", subscription=subscription, waited_s=self._close_within_s)


def subscriber_client() -> Any:
    """Return Google's client for subscriptions and streaming pull."""
    try:
        return pubsub_v1.SubscriberClient(**client_arguments(SubscriberGrpcTransport))
    except DefaultCredentialsError as error:
        raise SettingsError(f"no credentials for Pub/Sub: {error}") from error
