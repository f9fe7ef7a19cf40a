"""What a message carries into its dead letter: itself, and why."""

from typing import Final

from digiscope_shared.codec import Envelope
from digiscope_shared.errors import PermanentError

# Pub/Sub takes 1,024 bytes in an attribute's value; a character has four at most.
_DETAIL_CHARACTERS: Final = 250


def with_reason(envelope: Envelope, error: PermanentError) -> Envelope:
    """Return the envelope with `dead_reason` and `dead_detail`."""
    why = {"dead_reason": str(error.reason), "dead_detail": error.detail[:_DETAIL_CHARACTERS]}
    return Envelope(attributes={**envelope.attributes, **why}, body=envelope.body)
