"""Pub/Sub topic and subscription ids, and who reads what. Provisioning creates exactly these."""

from enum import StrEnum
from typing import Final


class PubsubTopic(StrEnum):
    CAPTURES = "captures"
    RESULTS = "results"
    DEVICE_EVENTS = "device-events"
    DEVICE_DIRECTIVES = "device-directives"


class Subscription(StrEnum):
    """A subscription's id is its topic and its reader: each reader has its own."""

    CAPTURES_WORKER = "captures-worker"
    RESULTS_BRIDGE = "results-bridge"
    DEVICE_EVENTS_FLEET = "device-events-fleet"
    DEVICE_DIRECTIVES_BRIDGE = "device-directives-bridge"


TOPIC_OF: Final = {
    Subscription.CAPTURES_WORKER: PubsubTopic.CAPTURES,
    Subscription.RESULTS_BRIDGE: PubsubTopic.RESULTS,
    Subscription.DEVICE_EVENTS_FLEET: PubsubTopic.DEVICE_EVENTS,
    Subscription.DEVICE_DIRECTIVES_BRIDGE: PubsubTopic.DEVICE_DIRECTIVES,
}

# Directives and events of one device keep their order; captures and results need none and gain throughput without.
ORDERED: Final = frozenset({PubsubTopic.DEVICE_EVENTS, PubsubTopic.DEVICE_DIRECTIVES})


def dead_letter_id(subscription: Subscription) -> str:
    """Name the dead-letter topic of a subscription; the subscription on it has the same name."""
    return f"{subscription}-dead"


# What the bridge refuses never became a Pub/Sub message, so it has a dead letter of its own.
UPLINK_DEAD: Final = "uplink-dead"
DEAD_LETTERS: Final = (UPLINK_DEAD, *map(dead_letter_id, Subscription))
