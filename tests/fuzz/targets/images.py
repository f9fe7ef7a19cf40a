"""Image files: their headers, what is cut out of them, their pixels, and the gate that judges them."""

import math
from typing import Final

import cv2
import numpy as np

from digiscope_shared.imaging import jpeg_segments, png_chunks
from digiscope_shared.imaging.decode import MAX_PIXELS, decode_bgr
from digiscope_shared.imaging.header import probe
from digiscope_shared.imaging.metadata import strip_metadata
from digiscope_shared.imaging.quality import QualityThresholds, assess
from tests.fuzz.image_edits import edits
from tests.fuzz.mutation import mutated
from tests.fuzz.target import Target
from tests.support import hostile_images
from tests.support.hostile_images import encode, encoded

SECRET: Final = b"Jane Doe 47.37N 8.54E"
_TEN_PIXELS: Final = np.arange(300, dtype=np.uint8).reshape(10, 10, 3)


def _jpeg(*options: int) -> bytes:
    done, content = cv2.imencode(".jpg", _TEN_PIXELS, options)
    assert done
    return content.tobytes()


SEEDS: Final = [
    *(encoded(extension, width=40, height=30) for extension in (".jpg", ".png", ".bmp", ".webp")),
    *(encode(extension, _TEN_PIXELS) for extension in (".jpg", ".png", ".webp")),
    _jpeg(cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    _jpeg(cv2.IMWRITE_JPEG_RST_INTERVAL, 1),
    encode(".jpg", _TEN_PIXELS[..., 0]),
    encode(".png", _TEN_PIXELS.astype(np.uint16)),
    encode(".png", np.dstack([_TEN_PIXELS, _TEN_PIXELS[..., 0]])),
    hostile_images.cmyk_jpeg(),
    hostile_images.animated_png(),
    hostile_images.animated_webp(),
    hostile_images.flat(".png", 1, 1),
    hostile_images.flat(".jpg", 1, 1),
    hostile_images.flat(".png", 1, 500),
    b"",
]
_IMAGES: Final = mutated(SEEDS, edits=edits(SECRET))
# What is announced below the limit may be allocated, twice while it comes out of OpenCV.
_COMPARED_PIXELS: Final = 20_000
_DECODED_MB: Final = 2 * 3 * MAX_PIXELS / 2**20


def check_header(content: bytes) -> None:
    header = probe(content)
    assert header.width >= 1
    assert header.height >= 1


def check_stripping(content: bytes) -> None:
    """Strip it: no secret stays, once is enough, and the pixels of what decodes are the same."""
    stripped = strip_metadata(content)
    assert SECRET not in beside_the_pixels(stripped)
    assert strip_metadata(stripped) == stripped
    header = probe(content)
    assert probe(stripped) == header
    if header.width * header.height <= _COMPARED_PIXELS:
        decoded = decode_bgr(content)
        np.testing.assert_array_equal(decode_bgr(stripped), decoded)


def beside_the_pixels(content: bytes) -> bytes:
    """Return what may tell more than the picture: application segments, comments, and chunks that aren't critical."""
    if content.startswith(png_chunks.SIGNATURE):
        chunks = png_chunks.chunks(content)
        return b"".join(content[each.start : each.end] for each in chunks if each.kind[:1].islower())
    segments = jpeg_segments.segments(content)
    return b"".join(content[each.start : each.end] for each in segments if each.marker >= jpeg_segments.APP0)


def check_decoding(content: bytes) -> None:
    """Decode it whole: as many pixels as the header says, never more than the limit."""
    header = probe(content)
    decoded = decode_bgr(content)
    assert decoded.shape == (header.height, header.width, 3)
    assert decoded.dtype == np.uint8
    assert decoded.size <= 3 * MAX_PIXELS


def check_gate(content: bytes) -> str | None:
    """Judge it as the device does, at reduced size: every score is a number."""
    decoded = decode_bgr(content, at_least_px=300)
    whole = np.full(decoded.shape[:2], 255, np.uint8)
    report = assess(decoded, QualityThresholds(), mask=whole)
    assert all(math.isfinite(score) for score in report.scores.values())
    return None if report.passed else f"gate {report.failures[0].code}"


TARGETS: Final = (
    Target(name="image-headers", inputs=_IMAGES, check=check_header, weight=8),
    Target(name="metadata-stripping", inputs=_IMAGES, check=check_stripping, weight=6),
    Target(name="decoding", inputs=_IMAGES, check=check_decoding, weight=5, limit_ms=4000, limit_mb=_DECODED_MB + 192),
    Target(name="quality-gate", inputs=_IMAGES, check=check_gate, weight=3, limit_ms=4000, limit_mb=_DECODED_MB + 192),
)
