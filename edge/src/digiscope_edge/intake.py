"""From an encoded image to a capture in the outbox, or a refusal with advice. Needs no network.

It runs on the caller's thread: camera, folder or command line; the outbox serialises.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import cv2
import structlog

from digiscope_edge.captures import CaptureDetails, HeldCapture, NewCapture
from digiscope_edge.config_sync import DeviceConfig
from digiscope_edge.events import CaptureRefused
from digiscope_edge.ports import Classifier, FrameBgr, Outbox, OutboxFullError, SourceImage
from digiscope_shared.capture_ids import new_capture_id
from digiscope_shared.errors import PermanentError, Reason
from digiscope_shared.imaging.decode import decode_bgr
from digiscope_shared.imaging.header import ImageFormat, probe
from digiscope_shared.imaging.metadata import strip_metadata
from digiscope_shared.imaging.quality import assess
from digiscope_shared.logs import trace_context
from digiscope_shared.messages import Prescreen
from digiscope_shared.messages.capture import MAX_IMAGE_BYTES
from digiscope_shared.traceparent import new_traceparent

log = structlog.get_logger()

# The gate and every prescreen model work on less than this; a 12-megapixel picture is never decoded at full size.
AT_LEAST_PX: Final = 300
OUTBOX_FULL: Final = "outbox-full"
ADVICE: Final = {
    Reason.UNREADABLE_IMAGE: "this is no whole picture: take it again, or choose another file",
    Reason.TOO_LARGE: "choose a lower resolution",
}
OUTBOX_FULL_ADVICE: Final = "wait for the link to empty the outbox, or free disk space; nothing that waits was touched"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceClocks:
    """`unix_ms` and `now_text` for display only; `monotonic_s` for every duration."""

    unix_ms: Callable[[], int]
    now_text: Callable[[], str]
    monotonic_s: Callable[[], float]
    boot_id: str


Outcome: TypeAlias = HeldCapture | CaptureRefused


class Intake:
    """`config` gives the config in force; `on_accepted` wakes the agent. `sources` is taken from by the agent.

    `frame_width_mm` holds for every capture whose details don't say another.
    """

    def __init__(
        self,
        *,
        outbox: Outbox,
        classifier: Classifier | None,
        config: Callable[[], DeviceConfig],
        clocks: DeviceClocks,
        frame_width_mm: float | None = None,
        on_accepted: Callable[[], None] = lambda: None,
    ) -> None:
        self._outbox, self._classifier, self._config = outbox, classifier, config
        self._clocks, self._on_accepted = clocks, on_accepted
        self._frame_width_mm = frame_width_mm
        self.sources: dict[str, str] = {}

    def take(self, image: SourceImage, details: CaptureDetails | None = None) -> Outcome:
        """Take custody of an image, or say why not; returns when it is on disk."""
        try:
            return self._take(image, self._complete(details or CaptureDetails()))
        except PermanentError as error:
            advice = f"{ADVICE.get(error.reason, 'take it again')} ({error.detail})"
            return self._refuse(image, error.reason, advice)
        except OutboxFullError as error:
            return self._refuse(image, OUTBOX_FULL, f"{OUTBOX_FULL_ADVICE} ({error})")

    def _complete(self, details: CaptureDetails) -> CaptureDetails:
        known = details.frame_width_mm is not None
        return details if known else replace(details, frame_width_mm=self._frame_width_mm)

    def was_taken(self, image: SourceImage) -> bool:
        """Tell whether this very image was accepted before."""
        try:
            content, _ = self._clean(image.content)
        except PermanentError:
            return False
        return self._outbox.knows_image(hashlib.sha256(content).hexdigest())

    def _take(self, image: SourceImage, details: CaptureDetails) -> Outcome:
        config = self._config()
        header = probe(image.content)
        at_least_px = int(max(AT_LEAST_PX, config.quality.min_side_px))
        image_bgr = decode_bgr(image.content, at_least_px=at_least_px)
        report = assess(image_bgr, config.quality)
        if report.failures:
            advice = "; ".join(failure.advice for failure in report.failures)
            return self._refuse(image, report.failures[0].code, advice)
        content, content_type = self._clean(image.content)
        if len(content) > MAX_IMAGE_BYTES:
            raise PermanentError(Reason.TOO_LARGE, f"{len(content)} bytes, {MAX_IMAGE_BYTES} are allowed")
        # Measured on a reduced decoding; the side is the picture's own.
        quality = report.scores | {"side_px": float(min(header.width, header.height))}
        return self._accept(image, content, content_type, details, quality, self._prescreen(image_bgr, config))

    def _accept(  # noqa: PLR0917 (each is one thing that was found out about the image)
        self,
        image: SourceImage,
        content: bytes,
        content_type: str,
        details: CaptureDetails,
        quality: dict[str, float],
        prescreen: Prescreen | None,
    ) -> HeldCapture:
        capture_id, traceparent = new_capture_id(self._clocks.unix_ms()), new_traceparent()
        # Before the row is there: the agent may see the row at once.
        self.sources[capture_id] = image.source
        try:
            capture = self._outbox.accept(
                NewCapture(
                    capture_id=capture_id,
                    content=content,
                    content_type=content_type,
                    captured_at=self._clocks.now_text(),
                    boot_id=self._clocks.boot_id,
                    accepted_at_s=self._clocks.monotonic_s(),
                    traceparent=traceparent,
                    details=details,
                    quality=quality,
                    prescreen=prescreen,
                )
            )
        except BaseException:
            self.sources.pop(capture_id, None)
            raise
        with trace_context(capture_id, traceparent):
            log.info("capture_accepted", sequence=capture.attributes.sequence, image_bytes=len(content))
        self._on_accepted()
        return capture

    def _clean(self, content: bytes) -> tuple[bytes, str]:
        """Return the image without metadata, as JPEG or PNG, and its content type."""
        image_format = probe(content).format
        if image_format in {ImageFormat.JPEG, ImageFormat.PNG}:
            return strip_metadata(content), f"image/{image_format}"
        encoded, jpeg = cv2.imencode(
            ".jpg", decode_bgr(content), [cv2.IMWRITE_JPEG_QUALITY, self._config().jpeg_quality]
        )
        if not encoded:
            raise PermanentError(Reason.UNREADABLE_IMAGE, "can't be encoded as JPEG")
        return bytes(jpeg), "image/jpeg"

    def _prescreen(self, image_bgr: FrameBgr, config: DeviceConfig) -> Prescreen | None:
        if self._classifier is None or not config.prescreen:
            return None
        return self._classifier.prescreen(image_bgr)

    def _refuse(self, image: SourceImage, reason: str, advice: str) -> CaptureRefused:
        # Not the source: a file's name may be a patient's.
        log.info("capture_refused", reason=reason)
        return CaptureRefused(source=image.source, reason=reason, advice=advice)
