"""The one place that spells MQTT topics: `digiscope/v1/devices/{device_id}/…`."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from digiscope_shared.errors import PermanentError, Reason

PREFIX: Final = "digiscope/v1/devices"
# What a broker's ACL, a certificate's common name, a Pub/Sub ordering key and an object name all accept.
_DEVICE_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_TAIL: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")


class Channel(StrEnum):
    """The last part of a device's MQTT topic."""

    CAPTURES = "captures"
    TELEMETRY = "telemetry"
    STATE = "state"
    RESPONSES = "responses"
    RECEIPTS = "receipts"
    RESULTS = "results"
    CONFIG = "config"
    MODEL = "model"
    COMMANDS = "commands"


UPLINK: Final = frozenset({Channel.CAPTURES, Channel.TELEMETRY, Channel.STATE, Channel.RESPONSES})
DOWNLINK: Final = frozenset(Channel) - UPLINK
RETAINED: Final = frozenset({Channel.STATE, Channel.CONFIG})
_WITH_TAIL: Final = frozenset({Channel.MODEL, Channel.COMMANDS})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTopic:
    """One device's topic, parsed. `tail` is the model digest or the command's name, else empty."""

    device_id: str
    channel: Channel
    tail: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, (PREFIX, self.device_id, self.channel, self.tail)))


def is_device_id(text: str) -> bool:
    """Tell whether `text` can be a device id: 1 to 63 of a-z, 0-9, `.`, `_`, `-`, starting with the first two."""
    return _DEVICE_ID.fullmatch(text) is not None


def parse(mqtt_topic: str) -> DeviceTopic:
    """Parse a received MQTT topic.

    Raises:
        PermanentError: with reason `bad-topic`.
    """
    rest = mqtt_topic.removeprefix(PREFIX + "/")
    device_id, _, channel_and_tail = rest.partition("/")
    name, _, tail = channel_and_tail.partition("/")
    known = rest != mqtt_topic and is_device_id(device_id) and name in frozenset(Channel)
    if not known or bool(tail) != (Channel(name) in _WITH_TAIL) or (tail and not _TAIL.fullmatch(tail)):
        raise PermanentError(Reason.BAD_TOPIC, f"not a topic of DigiScope: {mqtt_topic[:200]!r}")
    return DeviceTopic(device_id=device_id, channel=Channel(name), tail=tail)


def topic_filters_of_device(device_id: str) -> list[str]:
    """What a device subscribes to."""
    return [
        str(DeviceTopic(device_id=device_id, channel=channel)) + ("/+" if channel in _WITH_TAIL else "")
        for channel in sorted(DOWNLINK)
    ]


def topic_filters_of_bridge(share_name: str = "bridge") -> list[str]:
    """What a bridge replica subscribes to: shared, so that replicas divide the uplink among themselves."""
    return [f"$share/{share_name}/{PREFIX}/+/{channel}" for channel in sorted(UPLINK)]
