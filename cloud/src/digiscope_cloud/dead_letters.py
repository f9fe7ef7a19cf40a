"""What can never be accepted goes aside with the reason, in the dead letter of its subscription."""

from typing import Final

import structlog

from digiscope_cloud.ports import EventPublisher
from digiscope_shared.codec import Envelope
from digiscope_shared.errors import PermanentError
from digiscope_shared.pubsub_topics import Subscription, dead_letter_id

log = structlog.get_logger()
# Pub/Sub takes 1,024 bytes in an attribute's value; a character has four at most.
_DETAIL_CHARACTERS: Final = 250


def with_reason(envelope: Envelope, error: PermanentError) -> Envelope:
    """Return the envelope with `dead_reason` and `dead_detail`."""
    why = {"dead_reason": str(error.reason), "dead_detail": error.detail[:_DETAIL_CHARACTERS]}
    return Envelope(attributes={**envelope.attributes, **why}, body=envelope.body)


class DeadLetters:
    """The dead letter of one subscription."""

    def __init__(self, publisher: EventPublisher, subscription: Subscription) -> None:
        self._publisher = publisher
        self._pubsub_topic_id = dead_letter_id(subscription)

    def bury(self, envelope: Envelope, error: PermanentError) -> None:
        """Publish it; TransientError where that was not confirmed."""
        log.warning(
            "dead_lettered",
            pubsub_topic_id=self._pubsub_topic_id,
            schema=envelope.attributes.get("schema", ""),
            reason=str(error.reason),
            detail=error.detail,
        )
        self._publisher.publish(self._pubsub_topic_id, with_reason(envelope, error))
