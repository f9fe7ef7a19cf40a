"""Creates what DigiScope needs in a Google Cloud project or its emulators; a second run changes nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from google.api_core import exceptions as google_errors

from digiscope_cloud.adapters.gcs_object_store import storage_client
from digiscope_cloud.adapters.pubsub_channel import emulator_host
from digiscope_cloud.adapters.pubsub_publisher import publisher_client
from digiscope_cloud.adapters.pubsub_subscriber import subscriber_client
from digiscope_cloud.settings import CloudSettings
from digiscope_shared.errors import TransientError
from digiscope_shared.pubsub_topics import DEAD_LETTERS, ORDERED, TOPIC_OF, PubsubTopic, Subscription, dead_letter_id

# The worker extends its leases; this is what a killed one costs before its captures go to another.
ACK_DEADLINE: Final = timedelta(seconds=30)
# The most that the emulator takes.
RETENTION: Final = timedelta(days=7)
# The most that Pub/Sub takes: an outage of an hour must not end in the dead letter, a message that kills workers must.
MAX_DELIVERY_ATTEMPTS: Final = 100
RETRY_POLICY: Final = {"minimum_backoff": timedelta(seconds=1), "maximum_backoff": timedelta(seconds=60)}
# Parts carry a custom time; the images composed of them don't.
DAYS_AFTER_CUSTOM_TIME: Final = 1
TIMEOUT_S: Final = 30.0


class Outcome(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    FOUND = "was there"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisioned:
    """One resource and what was done about it."""

    kind: str
    name: str
    outcome: Outcome


def provision(settings: CloudSettings) -> list[Provisioned]:
    """Create or update topics, subscriptions, dead letters and the bucket.

    Raises:
        TransientError: the service failed or refused.
    """
    try:
        return [*_provision_pubsub(settings), _provision_bucket(settings)]
    except google_errors.GoogleAPIError as error:
        raise TransientError(f"provisioning stopped: {type(error).__name__}: {error}") from error


def _provision_pubsub(settings: CloudSettings) -> Iterator[Provisioned]:
    prefix = f"projects/{settings.project}"
    publisher, subscriber = publisher_client(), subscriber_client()
    try:
        for pubsub_topic_id in [*PubsubTopic, *DEAD_LETTERS]:
            yield _ensure_topic(publisher, prefix, pubsub_topic_id)
        for subscription in Subscription:
            yield _ensure_subscription(subscriber, prefix, _reading(subscription, prefix))
        for dead_letter in DEAD_LETTERS:
            yield _ensure_subscription(subscriber, prefix, _keeping(dead_letter, prefix))
    finally:
        publisher.transport.close()
        subscriber.close()


def _reading(subscription: Subscription, prefix: str) -> dict[str, Any]:
    return {
        "name": f"{prefix}/subscriptions/{subscription}",
        "topic": f"{prefix}/topics/{TOPIC_OF[subscription]}",
        "ack_deadline_seconds": int(ACK_DEADLINE.total_seconds()),
        "message_retention_duration": RETENTION,
        "enable_message_ordering": TOPIC_OF[subscription] in ORDERED,
        "retry_policy": _retry_policy(),
        "expiration_policy": {},  # empty is never: a site that is closed for a month keeps its subscription
        "dead_letter_policy": {
            "dead_letter_topic": f"{prefix}/topics/{dead_letter_id(subscription)}",
            "max_delivery_attempts": MAX_DELIVERY_ATTEMPTS,
        },
    }


def _retry_policy() -> dict[str, timedelta] | None:
    # With one, the emulator (0.8.20) may never again deliver what was nacked while its stream closed: seen in three
    # runs of eight, against none of eight without.
    return None if emulator_host() else RETRY_POLICY


def _keeping(dead_letter: str, prefix: str) -> dict[str, Any]:
    return {
        "name": f"{prefix}/subscriptions/{dead_letter}",
        "topic": f"{prefix}/topics/{dead_letter}",
        "ack_deadline_seconds": int(ACK_DEADLINE.total_seconds()),
        "message_retention_duration": RETENTION,
        "expiration_policy": {},
    }


def _ensure_topic(publisher: Any, prefix: str, pubsub_topic_id: str) -> Provisioned:
    try:
        publisher.create_topic(name=f"{prefix}/topics/{pubsub_topic_id}", timeout=TIMEOUT_S)
        outcome = Outcome.CREATED
    except google_errors.AlreadyExists:
        outcome = Outcome.FOUND
    return Provisioned(kind="topic", name=pubsub_topic_id, outcome=outcome)


def _ensure_subscription(subscriber: Any, prefix: str, wanted: dict[str, Any]) -> Provisioned:
    try:
        subscriber.create_subscription(request=wanted, timeout=TIMEOUT_S)
        outcome = Outcome.CREATED
    except google_errors.AlreadyExists:
        outcome = _update_subscription(subscriber, wanted)
    return Provisioned(
        kind="subscription", name=wanted["name"].removeprefix(f"{prefix}/subscriptions/"), outcome=outcome
    )


def _update_subscription(subscriber: Any, wanted: dict[str, Any]) -> Outcome:
    found = subscriber.get_subscription(subscription=wanted["name"], timeout=TIMEOUT_S)
    wanted_subscription = type(found)(wanted)
    # Ordering can't be changed after creation, and the emulator knows no expiration.
    changeable = wanted.keys() - {"name", "topic", "enable_message_ordering", "expiration_policy"}
    differing = sorted(name for name in changeable if getattr(found, name) != getattr(wanted_subscription, name))
    if not differing:
        return Outcome.FOUND
    subscriber.update_subscription(
        subscription=wanted_subscription, update_mask={"paths": differing}, timeout=TIMEOUT_S
    )
    return Outcome.UPDATED


def _provision_bucket(settings: CloudSettings) -> Provisioned:
    client = storage_client(settings.project)
    bucket = client.bucket(settings.bucket)
    bucket.iam_configuration.uniform_bucket_level_access_enabled = True
    bucket.iam_configuration.public_access_prevention = "enforced"
    bucket.add_lifecycle_delete_rule(days_since_custom_time=DAYS_AFTER_CUSTOM_TIME)
    try:
        client.create_bucket(bucket, location=settings.location, timeout=TIMEOUT_S)
        outcome = Outcome.CREATED
    except google_errors.Conflict:
        outcome = Outcome.FOUND
    return Provisioned(kind="bucket", name=settings.bucket, outcome=outcome)
