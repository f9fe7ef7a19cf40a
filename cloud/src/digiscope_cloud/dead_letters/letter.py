"""One dead letter as it lies there: what failed, why, since when, and the message that it was. Pure."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from digiscope_cloud.dead_letters.writing import DAMAGE, DETAIL, MQTT_TOPIC, PUBSUB_PREFIX, REASON, without_added
from digiscope_shared import mqtt_topics
from digiscope_shared.codec import Envelope
from digiscope_shared.errors import PermanentError

_PUBSUB_COUNT: Final = f"{PUBSUB_PREFIX}SourceDeliveryCount"
DELIVERED_TOO_OFTEN: Final = "delivered-too-often"
UNKNOWN: Final = "unknown"
_KEY_DIGITS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """`place` is the subscription that it lies in, `message_id` Pub/Sub's own: stable until it is taken away."""

    place: str
    message_id: str
    since: datetime
    envelope: Envelope

    @property
    def key(self) -> str:
        """Return what a person names it by: the same in every listing."""
        return hashlib.sha256(f"{self.place}/{self.message_id}".encode()).hexdigest()[:_KEY_DIGITS]

    @property
    def reason(self) -> str:
        gave_up = DELIVERED_TOO_OFTEN if self.attempts else UNKNOWN
        return self._attribute(REASON) or gave_up

    @property
    def detail(self) -> str:
        return self._attribute(DETAIL)

    @property
    def attempts(self) -> int | None:
        """Return how often Pub/Sub delivered it before it gave up; None where one of ours put it here."""
        text = self._attribute(_PUBSUB_COUNT)
        return int(text) if text.isascii() and text.isdigit() else None

    @property
    def schema(self) -> str:
        return self._attribute("schema")

    @property
    def mqtt_topic(self) -> str:
        return self._attribute(MQTT_TOPIC)

    @property
    def damage(self) -> str:
        """Say why this isn't the message that was sent; empty where it is."""
        return self._attribute(DAMAGE)

    @property
    def device_id(self) -> str:
        """Return the device that the broker knew, else the one that the message names."""
        try:
            return mqtt_topics.parse(self.mqtt_topic).device_id
        except PermanentError:
            return self._attribute("device_id")

    @property
    def capture_id(self) -> str:
        return self._attribute("capture_id")

    @property
    def message(self) -> Envelope:
        """Return the message as it was before it came here."""
        return Envelope(attributes=without_added(self.envelope.attributes), body=self.envelope.body)

    def without_body(self) -> "Letter":
        return replace(self, envelope=Envelope(attributes=self.envelope.attributes))

    def _attribute(self, name: str) -> str:
        return self.envelope.attributes.get(name, "")
