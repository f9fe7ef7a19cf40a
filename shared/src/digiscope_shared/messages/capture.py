"""A capture on its way up: as MQTT attributes (one set for each part), then as the record in the cloud."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from msgspec import Meta

from digiscope_shared.lesions import LesionClass
from digiscope_shared.messages.result import Triage

MAX_PART_BYTES: Final = 256 * 1024
# 48 megapixels of JPEG at quality 95 stay below this.
MAX_IMAGE_BYTES: Final = 32 * 1024 * 1024
MAX_PARTS: Final = MAX_IMAGE_BYTES // MAX_PART_BYTES

CaptureId = Annotated[str, Meta(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
# Pseudonyms: short, and of characters that neither a name with accents nor an address can be written in.
Pseudonym = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{0,64}$")]
ShortText = Annotated[str, Meta(max_length=64)]
# What the optics show from left to right.
FrameWidthMm = Annotated[float, Meta(gt=0, le=1000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prescreen:
    """The device's preliminary answer, made with its own model before anything was sent."""

    model_digest: str
    probabilities: dict[LesionClass, float]
    triage: Triage


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureAttributes:
    """MQTT user properties of one part. `part` counts from 0; order by `sequence`, show `captured_at`."""

    SCHEMA: ClassVar[str] = "digiscope.capture/1"

    capture_id: CaptureId
    part: Annotated[int, Meta(ge=0, lt=MAX_PARTS)]
    parts: Annotated[int, Meta(ge=1, le=MAX_PARTS)]
    image_sha256: Sha256
    image_bytes: Annotated[int, Meta(ge=1, le=MAX_IMAGE_BYTES)]
    content_type: Annotated[str, Meta(pattern=r"^image/(jpeg|png)$")]
    captured_at: ShortText
    boot_id: ShortText
    sequence: Annotated[int, Meta(ge=1)]
    traceparent: ShortText
    subject: Pseudonym = ""
    lesion: Pseudonym = ""
    site: ShortText = ""
    age: Annotated[int, Meta(ge=0, le=130)] | None = None
    sex: Annotated[str, Meta(pattern=r"^(male|female|other|unknown)?$")] = ""
    frame_width_mm: FrameWidthMm | None = None
    quality: dict[str, float] | None = None
    prescreen: Prescreen | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureRecord:
    """A stored capture: body on Pub/Sub `captures`, and the object that is written last."""

    SCHEMA: ClassVar[str] = "digiscope.capture-record/1"

    capture_id: CaptureId
    device_id: str
    image_uri: str
    image_generation: int
    image_sha256: Sha256
    image_bytes: int
    content_type: str
    captured_at: str
    stored_at: str
    boot_id: str
    sequence: int
    traceparent: str
    subject: str = ""
    lesion: str = ""
    site: str = ""
    age: int | None = None
    sex: str = ""
    frame_width_mm: float | None = None
    quality: dict[str, float] | None = None
    prescreen: Prescreen | None = None
