import struct

import pytest

from digiscope_shared.codec import Envelope
from digiscope_shared.errors import PermanentError
from digiscope_shared.mqtt.packets import incoming, packet_bytes, publish_properties, read_damaged_publish


def string(text: bytes) -> bytes:
    return struct.pack("!H", len(text)) + text


@pytest.mark.parametrize(
    ("properties", "attributes"),
    [
        (b"\x26" + string(b"a") + string(b"\xff"), {"a": "\ufffd"}),
        (b"\x26" + string(b"a") + string(b"b") + b"\x01\x07", {"a": "b"}),
        (b"\x7e\x00", {}),
        (b"\x26" + string(b"a"), {}),
        (b"\x26\xff\xff", {}),
        (b"\x02\x00", {}),
    ],
)
@pytest.mark.parametrize("qos", [0, 1])
def test_damaged_properties_cost_themselves_and_not_the_message(
    properties: bytes, attributes: dict[str, str], qos: int
) -> None:
    mid = b"\x00\x07" if qos else b""
    packet = string(b"a/b") + mid + bytes([len(properties)]) + properties + b"payload"
    message = read_damaged_publish(packet, qos=qos)
    received = incoming(message)
    assert (message.mid, message.qos) == (7 if qos else 0, qos)
    assert (received.mqtt_topic, received.envelope.body) == ("a/b", b"payload")
    assert received.envelope.attributes == attributes
    assert received.fault


@pytest.mark.parametrize(
    "packet", [b"", b"\xff\xff" + b"a/b", string(b"a/b"), string(b"a/b") + b"\x00\x07" + b"\xff" * 5]
)
def test_a_packet_that_ends_early_is_refused(packet: bytes) -> None:
    with pytest.raises(PermanentError):
        read_damaged_publish(packet, qos=1)


def test_a_packet_is_never_larger_than_was_reckoned() -> None:
    envelope = Envelope(attributes={f"näme-{n}": "wért" * n for n in range(50)}, body=bytes(1000))
    properties = publish_properties(envelope.attributes, expiry_s=60)
    topic = "digiscope/v1/devices/a/captures"
    written = 5 + 2 + len(topic) + 2 + len(properties.pack()) + len(envelope.body)  # type: ignore[no-untyped-call]
    assert written <= packet_bytes(topic, envelope) <= written + 32
