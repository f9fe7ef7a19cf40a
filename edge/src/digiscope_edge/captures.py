"""A capture as its device holds it: what is sent of it, how far it is, and what became of its image file."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from msgspec import Meta

from digiscope_shared.lifecycle import CaptureState
from digiscope_shared.messages import CaptureAttributes, DesiredConfig, Prescreen
from digiscope_shared.messages.capture import FrameWidthMm, Pseudonym, ShortText


class ImageState(StrEnum):
    """What lies in the images folder. Only `held` images are sent; nothing but `freed` was the cloud's word."""

    HELD = "held"
    FREED = "freed"
    DAMAGED = "damaged"
    MISSING = "missing"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureDetails:
    """What a person adds: pseudonyms and a few clinical facts, never a name; what the optics show, where known."""

    subject: Pseudonym = ""
    lesion: Pseudonym = ""
    site: ShortText = ""
    age: Annotated[int, Meta(ge=0, le=130)] | None = None
    sex: str = ""
    frame_width_mm: FrameWidthMm | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCapture:
    """An image that passed the gate. `accepted_at_s` is on the boot's monotonic clock."""

    capture_id: str
    content: bytes
    content_type: str
    captured_at: str
    boot_id: str
    accepted_at_s: float
    traceparent: str
    details: CaptureDetails
    quality: dict[str, float]
    prescreen: Prescreen | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldCapture:
    """One row of the outbox. `part_bytes` is 0 until its parts were cut; it never changes after."""

    attributes: CaptureAttributes
    state: CaptureState
    image: ImageState
    accepted_at_s: float
    part_bytes: int = 0
    reason: str = ""
    detail: str = ""

    @property
    def capture_id(self) -> str:
        return self.attributes.capture_id


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxLoad:
    """What the outbox holds: images not yet freed, in number and bytes, and how many of them can't be sent."""

    captures: int = 0
    held_bytes: int = 0
    full: bool = False
    rejected: int = 0
    unreadable: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """What start-up found: images without a row (moved to `orphans/`), and rows without their whole image."""

    orphans: int = 0
    damaged: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigMemory:
    """What the device remembers of its desired config: the last good one, and the last refusal."""

    applied: DesiredConfig | None = None
    refused_version: int = 0
    refused_detail: str = ""
