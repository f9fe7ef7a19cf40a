"""What stands for the device's side of the bridge, and parts of images to send through it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from digiscope_shared import codec
from digiscope_shared.capture_ids import new_capture_id
from digiscope_shared.codec import Envelope
from digiscope_shared.errors import TransientError
from digiscope_shared.messages import CaptureAttributes, Receipt
from digiscope_shared.mqtt import IncomingMessage
from digiscope_shared.mqtt_topics import Channel, DeviceTopic
from digiscope_shared.traceparent import new_traceparent


@dataclass(slots=True, kw_only=True)
class Sent:
    mqtt_topic: str
    envelope: Envelope
    retain: bool
    expiry_s: int | None
    on_taken: Callable[[], None] | None
    on_refused: Callable[[str], None] | None


@dataclass(slots=True)
class FakeDeviceDownlink:
    """A `DeviceDownlink` that keeps what was sent; `away = True` is a lost link."""

    sent: list[Sent] = field(default_factory=list)
    away: bool = False

    def publish(
        self,
        mqtt_topic: str,
        envelope: Envelope,
        *,
        retain: bool = False,
        expiry_s: int | None = None,
        on_taken: Callable[[], None] | None = None,
        on_refused: Callable[[str], None] | None = None,
    ) -> None:
        if self.away:
            raise TransientError("the fake downlink is away")
        self.sent.append(
            Sent(
                mqtt_topic=mqtt_topic,
                envelope=envelope,
                retain=retain,
                expiry_s=expiry_s,
                on_taken=on_taken,
                on_refused=on_refused,
            )
        )

    def receipts(self) -> list[Receipt]:
        return [
            codec.decode_json(Receipt, sent.envelope.body)
            for sent in self.sent
            if sent.mqtt_topic.endswith(Channel.RECEIPTS)
        ]


def parts_of(image: bytes, *, parts: int = 1, capture_id: str = "", **changes: Any) -> list[Envelope]:
    """Cut an image into `parts` messages; `changes` go over the attributes of each."""
    size_bytes = -(-len(image) // parts)
    capture_id = capture_id or new_capture_id(1_700_000_000_000)
    traceparent = new_traceparent()
    return [
        Envelope(
            attributes=codec.encode_attributes(
                CaptureAttributes(
                    capture_id=capture_id,
                    part=number,
                    parts=parts,
                    image_sha256=hashlib.sha256(image).hexdigest(),
                    image_bytes=len(image),
                    content_type="image/jpeg",
                    captured_at="2026-01-01T00:00:00Z",
                    boot_id="b1",
                    sequence=1,
                    traceparent=traceparent,
                )
            )
            | {name: str(value) for name, value in changes.items()},
            body=image[number * size_bytes : (number + 1) * size_bytes],
        )
        for number in range(parts)
    ]


@dataclass(slots=True)
class AckCount:
    count: int = 0

    def ack(self) -> None:
        self.count += 1


def from_device(
    envelope: Envelope,
    *,
    device_id: str = "dev-1",
    channel: str = Channel.CAPTURES,
    mqtt_topic: str = "",
    fault: str = "",
) -> tuple[IncomingMessage, AckCount]:
    """Return a message as a session would deliver it, and what counts its acks."""
    acks = AckCount()
    topic = mqtt_topic or str(DeviceTopic(device_id=device_id, channel=Channel(channel)))
    message = IncomingMessage(
        mqtt_topic=topic, envelope=envelope, retained=False, repeated=False, fault=fault, ack=acks.ack
    )
    return message, acks
