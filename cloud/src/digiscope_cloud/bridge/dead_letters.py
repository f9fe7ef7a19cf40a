"""Puts what can never be accepted where a person finds it, with the reason, and as it came: it can be replayed."""

from collections.abc import Mapping
from typing import Final

import structlog

from digiscope_cloud.ports import EventPublisher
from digiscope_shared.codec import Envelope
from digiscope_shared.errors import PermanentError

_log = structlog.get_logger()
# Pub/Sub's limits, https://cloud.google.com/pubsub/quotas#resource_limits, less what we add.
_MAX_ATTRIBUTES: Final = 90
_MAX_NAME_CHARACTERS: Final = 64
_MAX_VALUE_CHARACTERS: Final = 255


class DeadLetters:
    def __init__(self, publisher: EventPublisher) -> None:
        self._publisher = publisher

    def put(self, pubsub_topic_id: str, envelope: Envelope, *, reason: str, detail: str, **where: str) -> None:
        """Raise TransientError where it could not be put."""
        _log.warning("dead_letter", pubsub_topic_id=pubsub_topic_id, reason=reason, detail=detail[:500], **where)
        added = {"reason": reason, "detail": detail[:_MAX_VALUE_CHARACTERS]} | where
        try:
            attributes = dict(envelope.attributes) | added
            self._publisher.publish(pubsub_topic_id, Envelope(attributes=attributes, body=envelope.body))
        except PermanentError as error:
            # Its own attributes break Pub/Sub's limits: what fits of them must do.
            attributes = _what_fits(envelope.attributes) | added | {"cut_to_fit": error.detail[:_MAX_VALUE_CHARACTERS]}
            self._publisher.publish(pubsub_topic_id, Envelope(attributes=attributes, body=envelope.body))


def _what_fits(attributes: Mapping[str, str]) -> dict[str, str]:
    names = [name for name in attributes if name and not name.startswith("goog")][:_MAX_ATTRIBUTES]
    return {name[:_MAX_NAME_CHARACTERS]: attributes[name][:_MAX_VALUE_CHARACTERS] for name in names}
