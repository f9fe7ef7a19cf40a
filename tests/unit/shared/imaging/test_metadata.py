import struct
import zlib

import numpy as np
import pytest

from digiscope_shared.errors import PermanentError, Reason
from digiscope_shared.imaging.decode import decode_bgr
from digiscope_shared.imaging.metadata import strip_metadata
from digiscope_shared.imaging.png_chunks import SIGNATURE
from tests.support import hostile_images
from tests.support.hostile_images import png_chunk

SECRET = b"Jane Doe 47.37N 8.54E"


def segment(marker: int, payload: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(payload) + 2) + payload


def jpeg_with(*segments: bytes, trailer: bytes = b"") -> bytes:
    content = hostile_images.encoded(".jpg")
    return content[:2] + b"".join(segments) + content[2:] + trailer


@pytest.mark.parametrize(
    "content",
    [
        jpeg_with(segment(0xE1, b"Exif\0\0" + SECRET)),
        jpeg_with(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + SECRET)),
        jpeg_with(segment(0xED, b"Photoshop 3.0\0" + SECRET)),
        jpeg_with(segment(0xE2, b"ICC_PROFILE\0" + SECRET)),
        jpeg_with(segment(0xFE, SECRET)),
        jpeg_with(segment(0xE0, b"JFXX\0" + SECRET)),
        jpeg_with(segment(0xEE, SECRET)),
        jpeg_with(trailer=SECRET),
        jpeg_with(segment(0xE1, b"Exif\0\0" + hostile_images.encoded(".jpg", width=16, height=16) + SECRET)),
    ],
    ids=["exif", "xmp", "iptc", "icc", "comment", "thumbnail", "unknown", "trailer", "exif with a thumbnail"],
)
def test_jpeg_loses_its_metadata_and_no_pixel(content: bytes) -> None:
    stripped = strip_metadata(content)
    assert SECRET in content
    assert SECRET not in stripped
    np.testing.assert_array_equal(decode_bgr(stripped), decode_bgr(content))


@pytest.mark.parametrize(
    "kind", [b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME", b"prIv", b"sRGB", b"gAMA", b"cHRM", b"tRNS"]
)
def test_png_loses_its_metadata_and_no_pixel(kind: bytes) -> None:
    content = hostile_images.encoded(".png")
    end = len(content) - 12
    tagged = content[:end] + hostile_images.png_chunk(kind, SECRET) + content[end:] + SECRET
    stripped = strip_metadata(tagged)
    assert SECRET not in stripped
    np.testing.assert_array_equal(decode_bgr(stripped), decode_bgr(content))


def test_a_thumbnail_inside_jfif_goes() -> None:
    content = hostile_images.encoded(".jpg")
    header = content.index(b"JFIF\0")
    thumbnail = SECRET[:12]
    length = struct.pack(">H", 16 + len(thumbnail))
    swollen = content[: header - 2] + length + content[header : header + 12] + b"\x02\x02" + thumbnail
    stripped = strip_metadata(swollen + content[header + 14 :])
    assert thumbnail not in stripped
    np.testing.assert_array_equal(decode_bgr(stripped), decode_bgr(content))


@pytest.mark.parametrize("content", [hostile_images.cmyk_jpeg(), hostile_images.encoded(".jpg")], ids=["cmyk", "plain"])
def test_what_tells_the_colours_stays_and_twice_is_once(content: bytes) -> None:
    once = strip_metadata(content)
    assert strip_metadata(once) == once
    np.testing.assert_array_equal(decode_bgr(once), decode_bgr(content))


@pytest.mark.parametrize("name", ["empty", "not an image", "truncated jpeg", "truncated png"])
def test_broken_files_are_refused(name: str) -> None:
    with pytest.raises(PermanentError) as refused:
        strip_metadata(hostile_images.REFUSED[name])
    assert refused.value.reason == Reason.UNREADABLE_IMAGE


def test_other_formats_are_refused_with_what_to_do() -> None:
    with pytest.raises(PermanentError, match="JPEG and PNG only"):
        strip_metadata(hostile_images.encoded(".webp"))


def test_a_palettes_transparency_goes_and_its_colours_stay() -> None:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 3, 0, 0, 0))
    palette, alpha = png_chunk(b"PLTE", bytes([10, 20, 30, 200, 100, 50])), png_chunk(b"tRNS", b"\x00\x80")
    rest = png_chunk(b"IDAT", zlib.compress(b"\0\0\1")) + png_chunk(b"IEND", b"")
    content = SIGNATURE + header + palette + alpha + rest
    stripped = strip_metadata(content)
    assert stripped == SIGNATURE + header + palette + rest
    np.testing.assert_array_equal(decode_bgr(stripped), decode_bgr(content))
