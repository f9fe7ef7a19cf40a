"""What a part claims, whether it may, and what the device is told. No I/O.

┌──────────────────────────────────────────────┬────────────────────────────────────────────────┐
│ a part comes, and then                       │ the device is told                             │
├──────────────────────────────────────────────┼────────────────────────────────────────────────┤
│ capture.json exists                          │ stored                                         │
│ the set is complete, and the image verified  │ stored                                         │
│ the set is incomplete, it is the last part   │ missing, with the numbers                      │
│ the set is incomplete, the part came again   │ missing, with the numbers                      │
│ the set is incomplete, else                  │ nothing: it is still sending                   │
│ it is wrong for good                         │ rejected, with the reason                      │
└──────────────────────────────────────────────┴────────────────────────────────────────────────┘
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from digiscope_cloud.audit_log.entries import Act, AuditEntry
from digiscope_cloud.ports import StoredObject
from digiscope_shared import codec, object_names
from digiscope_shared.capture_ids import is_capture_id
from digiscope_shared.codec import Envelope
from digiscope_shared.errors import PermanentError, Reason
from digiscope_shared.messages import CaptureAttributes, CaptureRecord, Receipt, ReceiptKind
from digiscope_shared.messages.capture import MAX_PART_BYTES
from digiscope_shared.mqtt_topics import Channel, DeviceTopic
from digiscope_shared.traceparent import child_of

_ACTOR: Final = "bridge"
_MAX_TOPIC_CHARACTERS: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of an image, checked in itself."""

    device_id: str
    capture: CaptureAttributes
    content: bytes

    @property
    def is_last(self) -> bool:
        return self.capture.part == self.capture.parts - 1

    @property
    def object_name(self) -> str:
        return object_names.part(self.capture.capture_id, self.capture.part)

    @property
    def last_object_name(self) -> str:
        return object_names.part(self.capture.capture_id, self.capture.parts - 1)

    @property
    def image_claim(self) -> dict[str, str]:
        """Return the metadata that the image and the record carry: whose they are, and of what."""
        return {"device_id": self.device_id, "image_sha256": self.capture.image_sha256}

    @property
    def part_claim(self) -> dict[str, str]:
        """Return the metadata that each part carries: the whole set must agree on it."""
        return self.image_claim | {"parts": str(self.capture.parts), "image_bytes": str(self.capture.image_bytes)}


def read_part(device_id: str, envelope: Envelope) -> Part:
    """Check one message of `captures` in itself.

    Raises:
        PermanentError: attributes that are missing or don't fit, an empty or oversized part, a number out of range.
    """
    capture = codec.decode_attributes(CaptureAttributes, envelope.attributes)
    size_bytes = len(envelope.body)
    if capture.part >= capture.parts:
        raise PermanentError(Reason.BAD_PART, f"part {capture.part} of {capture.parts}, counted from 0")
    if capture.image_bytes < capture.parts:
        raise PermanentError(Reason.BAD_PART, f"{capture.image_bytes} bytes in {capture.parts} parts")
    if size_bytes == 0:
        raise PermanentError(Reason.BAD_PART, "an empty part")
    if size_bytes > MAX_PART_BYTES:
        raise PermanentError(Reason.TOO_LARGE, f"a part of {size_bytes} bytes, at most {MAX_PART_BYTES}")
    if size_bytes > capture.image_bytes:
        raise PermanentError(Reason.BAD_PART, f"a part of {size_bytes} bytes of an image of {capture.image_bytes}")
    return Part(device_id=device_id, capture=capture, content=envelope.body)


def check_claim(claim: Mapping[str, str], found: StoredObject) -> None:
    """Check that what is stored under the same name was claimed alike.

    Raises:
        PermanentError: `capture-id-taken` by another device or image, `bad-part` where counts contradict each other.
    """
    for key, claimed in claim.items():
        if found.metadata.get(key) == claimed:
            continue
        if key in ("device_id", "image_sha256"):
            raise PermanentError(Reason.CAPTURE_ID_TAKEN, f"{found.name} has another {key}")
        raise PermanentError(Reason.BAD_PART, f"{key} is {claimed} here and {found.metadata.get(key)} in {found.name}")


def missing_parts(part: Part, found: Iterable[StoredObject]) -> tuple[int, ...]:
    """Return the numbers that are not among the stored parts; PermanentError where those contradict this one."""
    names = set()
    for stored in found:
        check_claim(part.part_claim, stored)
        names.add(stored.name)
    capture_id = part.capture.capture_id
    return tuple(n for n in range(part.capture.parts) if object_names.part(capture_id, n) not in names)


def verify_image(part: Part, content: bytes) -> None:
    """Compare size and hash with what the device announced; PermanentError `wrong-hash`."""
    if len(content) != part.capture.image_bytes:
        raise PermanentError(Reason.WRONG_HASH, f"{len(content)} bytes, announced {part.capture.image_bytes}")
    image_sha256 = hashlib.sha256(content).hexdigest()
    if image_sha256 != part.capture.image_sha256:
        raise PermanentError(Reason.WRONG_HASH, f"sha256 {image_sha256}, announced {part.capture.image_sha256}")


def record_of(part: Part, image: StoredObject, *, uri_prefix: str, stored_at: str) -> CaptureRecord:
    capture = part.capture
    return CaptureRecord(
        capture_id=capture.capture_id,
        device_id=part.device_id,
        image_uri=f"{uri_prefix}{image.name}",
        image_generation=image.generation,
        image_sha256=capture.image_sha256,
        image_bytes=capture.image_bytes,
        content_type=capture.content_type,
        captured_at=capture.captured_at,
        stored_at=stored_at,
        boot_id=capture.boot_id,
        sequence=capture.sequence,
        traceparent=child_of(capture.traceparent),
        subject=capture.subject,
        lesion=capture.lesion,
        site=capture.site,
        age=capture.age,
        sex=capture.sex,
        frame_width_mm=capture.frame_width_mm,
        quality=capture.quality,
        prescreen=capture.prescreen,
    )


def record_envelope(record: CaptureRecord) -> Envelope:
    """Return the message for the worker."""
    attributes = {
        "schema": record.SCHEMA,
        "device_id": record.device_id,
        "capture_id": record.capture_id,
        "traceparent": record.traceparent,
    }
    return Envelope(attributes=attributes, body=codec.encode_json(record))


def stored_receipt(part: Part) -> Receipt:
    return Receipt(
        capture_id=part.capture.capture_id, kind=ReceiptKind.STORED, traceparent=child_of(part.capture.traceparent)
    )


def missing_receipt(part: Part, numbers: tuple[int, ...]) -> Receipt:
    return Receipt(
        capture_id=part.capture.capture_id,
        kind=ReceiptKind.MISSING,
        missing_parts=numbers,
        traceparent=child_of(part.capture.traceparent),
    )


def rejected_receipt(capture_id: str, error: PermanentError, traceparent: str) -> Receipt:
    return Receipt(
        capture_id=capture_id,
        kind=ReceiptKind.REJECTED,
        reason=error.reason,
        detail=error.detail[:500],
        traceparent=child_of(traceparent),
    )


def acceptance_of(record: CaptureRecord) -> AuditEntry:
    """Return the audit line of a capture that is about to count as stored."""
    detail = {"device_id": record.device_id, "image_sha256": record.image_sha256, "sequence": str(record.sequence)}
    return AuditEntry(act=Act.ACCEPTED, subject=record.capture_id, actor=_ACTOR, detail=detail)


def refusal_of(mqtt_topic: str, envelope: Envelope, error: PermanentError) -> AuditEntry:
    """Return the audit line of what went to the dead letter: why and what, by its hash; no value that was sent."""
    capture_id = envelope.attributes.get("capture_id", "")
    detail = {"reason": error.reason.value, "body_sha256": hashlib.sha256(envelope.body).hexdigest()}
    if is_capture_id(capture_id):
        detail["capture_id"] = capture_id
    return AuditEntry(act=Act.REFUSED, subject=mqtt_topic[:_MAX_TOPIC_CHARACTERS], actor=_ACTOR, detail=detail)


def receipts_topic(device_id: str) -> str:
    """Name the MQTT topic that a device reads its receipts on."""
    return str(DeviceTopic(device_id=device_id, channel=Channel.RECEIPTS))


def receipt_envelope(receipt: Receipt) -> Envelope:
    attributes = {"schema": receipt.SCHEMA, "capture_id": receipt.capture_id, "traceparent": receipt.traceparent}
    return Envelope(attributes=attributes, body=codec.encode_json(receipt))
