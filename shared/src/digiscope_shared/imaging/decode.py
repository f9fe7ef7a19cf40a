"""Bytes to pixels, with the size checked in the header first and memory bounded by it."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from digiscope_shared.errors import PermanentError, Reason
from digiscope_shared.imaging.header import ImageHeader, probe, unreadable

FrameBgr = NDArray[np.uint8]
"""uint8, height × width × 3, blue first."""

__all__ = ["MAX_PIXELS", "FrameBgr", "ImageHeader", "decode_bgr", "probe"]

MAX_PIXELS: Final = 50_000_000 - 1
# 150 MB decoded; OpenCV's own limit is 1 << 30 pixels.

_REDUCED: Final = (
    (8, cv2.IMREAD_REDUCED_COLOR_8),
    (4, cv2.IMREAD_REDUCED_COLOR_4),
    (2, cv2.IMREAD_REDUCED_COLOR_2),
)


def decode_bgr(content: bytes, *, max_pixels: int = MAX_PIXELS, at_least_px: int | None = None) -> FrameBgr:
    """Decode to uint8 BGR; alpha is dropped, 16 bits become 8, CMYK and grey become colour.

    With `at_least_px`, decodes at 1/2, 1/4 or 1/8 as long as the shorter side keeps that many pixels: a JPEG is then
    never built at full size. The EXIF orientation is ignored, always: `strip_metadata` drops it losslessly on the
    device, where turning the pixels would cost a second encoding, and a lesion has no upright. So device, storage and
    worker see the same rows whether or not the tag is still there.

    Raises:
        PermanentError: UNREADABLE_IMAGE, or TOO_LARGE where the header announces more than `max_pixels`.
    """
    header = probe(content)
    if header.width * header.height > max_pixels:
        size = f"{header.width}×{header.height} pixels"
        raise PermanentError(Reason.TOO_LARGE, f"{size} are more than the {max_pixels} that are decoded")
    flags = _flags(header, at_least_px) | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        decoded = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), flags)
    except cv2.error as error:
        raise unreadable(f"the {header.format} decoder refused it: {error.err}") from error
    if decoded is None:
        raise unreadable(f"the {header.format} decoder refused it")
    return np.ascontiguousarray(decoded, dtype=np.uint8)


def _flags(header: ImageHeader, at_least_px: int | None) -> int:
    if at_least_px is not None:
        for factor, flags in _REDUCED:
            if min(header.width, header.height) // factor >= at_least_px:
                return int(flags)
    return int(cv2.IMREAD_COLOR)
