"""A capture as its rows hold it."""

from typing import Any, Final

import msgspec

from digiscope_edge.captures import HeldCapture, ImageState, NewCapture
from digiscope_shared.lifecycle import CaptureState
from digiscope_shared.messages import CaptureAttributes

# What `held_capture` reads, in its order.
COLUMNS: Final = "attributes, state, image, accepted_at_s, part_bytes, reason, detail"


def new_attributes(capture: NewCapture, image_sha256: str, sequence: int) -> CaptureAttributes:
    """Return what every part of this capture will carry."""
    return CaptureAttributes(
        capture_id=capture.capture_id,
        part=0,
        parts=1,
        image_sha256=image_sha256,
        image_bytes=len(capture.content),
        content_type=capture.content_type,
        captured_at=capture.captured_at,
        boot_id=capture.boot_id,
        sequence=sequence,
        traceparent=capture.traceparent,
        subject=capture.details.subject,
        lesion=capture.details.lesion,
        site=capture.details.site,
        age=capture.details.age,
        sex=capture.details.sex,
        frame_width_mm=capture.details.frame_width_mm,
        quality=capture.quality,
        prescreen=capture.prescreen,
    )


def held_capture(row: tuple[Any, ...]) -> HeldCapture:
    attributes, state, image, accepted_at_s, part_bytes, reason, detail = row
    return HeldCapture(
        attributes=msgspec.json.decode(attributes, type=CaptureAttributes),
        state=CaptureState(state),
        image=ImageState(image),
        accepted_at_s=accepted_at_s,
        part_bytes=part_bytes,
        reason=reason,
        detail=detail,
    )
