"""MQTT PUBLISH packets, through the reader that the link uses."""

import struct
from typing import Any, Final

from paho.mqtt.client import MQTTv5
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from digiscope_shared.mqtt import packets
from digiscope_shared.mqtt.byte_window import ByteWindow
from digiscope_shared.mqtt.tolerant_client import TolerantClient
from tests.fuzz.mutation import mutated
from tests.fuzz.target import Target
from tests.fuzz.targets.messages import ATTRIBUTES


def check_packet(content: bytes) -> str | None:
    """Read it as QoS 0 or 1: a message comes out, or the link ends in order."""
    received: list[packets.IncomingMessage] = []
    client: Any = TolerantClient(
        ByteWindow(None), CallbackAPIVersion.VERSION2, "fuzz", protocol=MQTTv5, manual_ack=True
    )
    client.on_message = lambda _client, _userdata, message: received.append(packets.incoming(message))
    qos = content[0] % 2 if content else 0
    client._in_packet["command"] = 0x30 | qos << 1
    client._in_packet["packet"] = bytearray(content[1:])
    outcome = client._handle_publish()
    for message in received:
        message.mqtt_topic.encode()
        packets.packet_bytes(message.mqtt_topic, message.envelope)
    assert bool(received) == (outcome == MQTTErrorCode.MQTT_ERR_SUCCESS)
    return None if received and not received[0].fault else received[0].fault if received else outcome.name


def publish_packet(*, qos: int, properties: bytes, body: bytes = b"body") -> bytes:
    """Write the quality of service, which is in the fixed header, and what follows that."""
    topic = b"digiscope/v1/devices/clinic-7/captures"
    identifier = b"\0\7" if qos else b""
    return bytes([qos]) + struct.pack("!H", len(topic)) + topic + identifier + properties + body


def _properties() -> list[bytes]:
    plain: Any = packets.publish_properties(ATTRIBUTES | {packets.CORRELATION: "c-1"}, expiry_s=60)
    pair = b"\x26\0\1a\0\2b\xff"
    return [b"\0", plain.pack(), bytes([len(pair)]) + pair, b"\5\x01\x01\x26\0\1"]


TARGETS: Final = (
    Target(
        name="mqtt-packets",
        inputs=mutated([publish_packet(qos=qos, properties=each) for qos in (0, 1) for each in _properties()]),
        check=check_packet,
        weight=8,
    ),
)
