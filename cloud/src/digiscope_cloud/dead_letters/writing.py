"""What can never be accepted goes aside with the reason, as it came: it can be replayed."""

from collections.abc import Mapping
from typing import Final

import structlog

from digiscope_cloud.ports import EventPublisher
from digiscope_shared.codec import Envelope
from digiscope_shared.errors import PermanentError

log = structlog.get_logger()
# The attributes that a dead letter has more than the message had.
REASON: Final = "dead_reason"
DETAIL: Final = "dead_detail"
MQTT_TOPIC: Final = "dead_mqtt_topic"
DAMAGE: Final = "dead_damage"
_ADDED: Final = frozenset({REASON, DETAIL, MQTT_TOPIC, DAMAGE})
# What Pub/Sub itself adds where it gave up, https://cloud.google.com/pubsub/docs/handling-failures
PUBSUB_PREFIX: Final = "CloudPubSubDeadLetter"
# Pub/Sub's limits, https://cloud.google.com/pubsub/quotas#resource_limits, less what we add; a character has four bytes
# at most.
_MAX_ATTRIBUTES: Final = 90
_MAX_NAME_CHARACTERS: Final = 64
_MAX_VALUE_CHARACTERS: Final = 255
_CUT: Final = "its attributes were cut to fit Pub/Sub"


class DeadLetters:
    """One dead letter's topic."""

    def __init__(self, publisher: EventPublisher, pubsub_topic_id: str) -> None:
        self._publisher = publisher
        self._pubsub_topic_id = pubsub_topic_id

    def bury(self, envelope: Envelope, error: PermanentError) -> None:
        """Put aside what its type of error says can't be helped; TransientError where that was not confirmed."""
        self.put(envelope, reason=error.reason, detail=error.detail)

    def put(self, envelope: Envelope, *, reason: str, detail: str, mqtt_topic: str = "", damage: str = "") -> None:
        """Publish it; `damage` says why it isn't what was sent. TransientError where that was not confirmed."""
        log.warning(
            "dead_lettered",
            pubsub_topic_id=self._pubsub_topic_id,
            schema=envelope.attributes.get("schema", "")[:_MAX_NAME_CHARACTERS],
            reason=str(reason),
            detail=detail[:500],
            mqtt_topic=mqtt_topic,
        )
        added = {REASON: str(reason), DETAIL: detail, MQTT_TOPIC: mqtt_topic, DAMAGE: damage}
        added = {name: value[:_MAX_VALUE_CHARACTERS] for name, value in added.items() if value}
        # A sender that uses our names must not speak for us: it could pass its own letter off as damaged.
        own = without_added(envelope.attributes)
        try:
            self._publish(own | added, envelope.body)
        except PermanentError:
            # Its own attributes break Pub/Sub's limits: what fits of them must do.
            self._publish(_what_fits(own) | added | {DAMAGE: damage or _CUT}, envelope.body)

    def _publish(self, attributes: dict[str, str], body: bytes) -> None:
        self._publisher.publish(self._pubsub_topic_id, Envelope(attributes=attributes, body=body))


def without_added(attributes: Mapping[str, str]) -> dict[str, str]:
    """Return what the message itself carried."""
    return {
        name: value for name, value in attributes.items() if name not in _ADDED and not name.startswith(PUBSUB_PREFIX)
    }


def _what_fits(attributes: Mapping[str, str]) -> dict[str, str]:
    names = [name for name in attributes if name and not name.startswith("goog")][:_MAX_ATTRIBUTES]
    return {name[:_MAX_NAME_CHARACTERS]: attributes[name][:_MAX_VALUE_CHARACTERS] for name in names}
