"""Envelopes to and from MQTT 5 packets, as paho has them."""

import contextlib
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from paho.mqtt.client import MQTTMessage
from paho.mqtt.exception import MQTTException
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties, VariableByteIntegers

from digiscope_shared.codec import Envelope
from digiscope_shared.errors import PermanentError, Reason

# This attribute travels as MQTT 5's own Correlation Data.
CORRELATION: Final = "correlation_data"
# Mosquitto ends the connection of a sender of control characters or non-characters, and paho's reader chokes on U+FEFF:
# resent for ever, one such message would hold up everything behind it.
_UNSENDABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufeff\ufffe\uffff]")
_MAX_STRING_BYTES: Final = 65_535
# Fixed header, packet identifier, lengths, expiry: what a PUBLISH adds to its strings and its body, rounded up.
_OVERHEAD_BYTES: Final = 32
_STRING_PAIR_OVERHEAD_BYTES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingMessage:
    """One message from the broker. `fault` says what its sender did wrong with the attributes; empty if nothing."""

    mqtt_topic: str
    envelope: Envelope
    retained: bool
    repeated: bool
    fault: str = ""
    # Call when the effect is safe; from any thread. After the link's end it does nothing: the broker sends again.
    ack: Callable[[], None] = field(compare=False, repr=False, default=lambda: None)


def incoming(message: MQTTMessage) -> IncomingMessage:
    """Read a PUBLISH; the link adds the ack."""
    properties: Any = message.properties
    attributes = dict(getattr(properties, "UserProperty", ()))
    correlation = getattr(properties, "CorrelationData", None)
    if correlation is not None:
        attributes[CORRELATION] = bytes(correlation).decode("utf-8", "backslashreplace")
    return IncomingMessage(
        mqtt_topic=message.topic,
        envelope=Envelope(attributes=attributes, body=bytes(message.payload)),
        retained=message.retain,
        repeated=message.dup,
        fault=getattr(properties, "fault", ""),
    )


def new_properties(packet_type: int) -> Properties:
    return Properties(packet_type)  # type: ignore[no-untyped-call]


def publish_properties(attributes: Mapping[str, str], *, expiry_s: int | None = None) -> Properties:
    """Write attributes as properties of a PUBLISH.

    Raises:
        PermanentError: `bad-attributes` where MQTT can't carry them.
    """
    properties = _with_attributes(new_properties(PacketTypes.PUBLISH), attributes)
    if expiry_s is not None:
        properties.MessageExpiryInterval = expiry_s
    return properties


def will_properties(attributes: Mapping[str, str]) -> Properties:
    """Write attributes as properties of a Will."""
    return _with_attributes(new_properties(PacketTypes.WILLMESSAGE), attributes)


def packet_bytes(mqtt_topic: str, envelope: Envelope) -> int:
    """Return how large the PUBLISH gets, at most."""
    strings = sum(
        len(name.encode()) + len(value.encode()) + _STRING_PAIR_OVERHEAD_BYTES
        for name, value in envelope.attributes.items()
    )
    return len(mqtt_topic.encode()) + strings + len(envelope.body) + _OVERHEAD_BYTES


def read_damaged_publish(packet: bytes, *, qos: int) -> MQTTMessage:
    """Read a PUBLISH whose properties break MQTT's rules; what of them can't be read is left out.

    Raises:
        PermanentError: `bad-body` where it isn't even clear where they begin and end.
    """
    try:
        (topic_bytes,) = struct.unpack_from("!H", packet)
        mid_bytes = 2 if qos > 0 else 0
        mid = int.from_bytes(packet[2 + topic_bytes :][:mid_bytes])
        rest = packet[2 + topic_bytes + mid_bytes :]
        properties_bytes, length_bytes = VariableByteIntegers.decode(rest)  # type: ignore[no-untyped-call]
    except (MQTTException, struct.error, LookupError) as error:
        raise PermanentError(Reason.BAD_BODY, f"a PUBLISH packet that ends early: {error}") from error
    topic = packet[2 : 2 + topic_bytes].decode("utf-8", "replace").encode()
    properties = LenientProperties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    with contextlib.suppress(MQTTException, struct.error, LookupError):
        properties.unpack(rest[: length_bytes + properties_bytes])  # type: ignore[no-untyped-call]
    message = MQTTMessage(mid, topic)
    message.qos, message.properties = qos, properties
    message.payload = rest[length_bytes + properties_bytes :]
    return message


class LenientProperties(Properties):
    """Properties whose damaged strings are read with U+FFFD in the damage's place."""

    fault = "an attribute is not valid MQTT 5 UTF-8"

    def readProperty(self, buffer: bytes, type: int, propslen: int) -> tuple[Any, int]:  # noqa: A002, N802 (paho's)
        kind = self.types[type]
        if kind == "UTF-8 Encoded String":
            return _lenient_string(buffer)
        if kind == "UTF-8 String Pair":
            name, name_bytes = _lenient_string(buffer)
            value, value_bytes = _lenient_string(buffer[name_bytes:])
            return (name, value), name_bytes + value_bytes
        return super().readProperty(buffer, type, propslen)  # type: ignore[no-untyped-call, no-any-return]


def _lenient_string(buffer: bytes) -> tuple[str, int]:
    (length,) = struct.unpack_from("!H", buffer)
    return bytes(buffer[2 : 2 + length]).decode("utf-8", "replace"), 2 + length


def _with_attributes(properties: Properties, attributes: Mapping[str, str]) -> Properties:
    for name, value in attributes.items():
        for text in (name, value):
            if _UNSENDABLE.search(text) or len(text.encode()) > _MAX_STRING_BYTES:
                raise PermanentError(Reason.BAD_ATTRIBUTES, f"MQTT can't carry {name[:64]!r}: {value[:64]!r}")
    properties.UserProperty = [(name, value) for name, value in attributes.items() if name != CORRELATION]
    if CORRELATION in attributes:
        properties.CorrelationData = attributes[CORRELATION].encode()
    return properties
