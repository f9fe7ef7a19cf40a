import resource
import struct
import time

import cv2
import numpy as np
import pytest

from digiscope_shared.errors import PermanentError, Reason
from digiscope_shared.imaging.decode import decode_bgr, probe
from digiscope_shared.imaging.header import ImageFormat
from digiscope_shared.imaging.phantoms import draw_phantom
from tests.support import hostile_images

EXIF_TURNED = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"


@pytest.mark.parametrize("extension", [".jpg", ".png", ".bmp", ".webp"])
def test_header_tells_format_and_size(extension: str) -> None:
    header = probe(hostile_images.encoded(extension, width=120, height=90))
    expected = ImageFormat({".jpg": "jpeg"}.get(extension, extension[1:]))
    assert (header.format, header.width, header.height) == (expected, 120, 90)


@pytest.mark.parametrize("quality", [cv2.IMWRITE_WEBP_QUALITY])
def test_header_of_lossless_webp(quality: int) -> None:
    done, content = cv2.imencode(".webp", draw_phantom(1, width=121, height=90), [quality, 101])
    assert done
    assert (probe(content.tobytes()).width, probe(content.tobytes()).height) == (121, 90)


def test_lossless_formats_come_back_bit_for_bit() -> None:
    pixels = draw_phantom(2, width=120, height=90)
    np.testing.assert_array_equal(decode_bgr(hostile_images.encode(".png", pixels)), pixels)


@pytest.mark.parametrize(
    ("at_least_px", "expected"), [(None, 720), (720, 720), (360, 360), (300, 360), (90, 90), (1, 90)]
)
def test_decodes_at_the_smallest_size_that_is_large_enough(at_least_px: int | None, expected: int) -> None:
    content = hostile_images.encoded(".jpg", width=960, height=720)
    assert decode_bgr(content, at_least_px=at_least_px).shape[0] == expected


def test_orientation_is_ignored() -> None:
    content = hostile_images.encoded(".jpg", width=120, height=90)
    turned = content[:2] + b"\xff\xe1" + struct.pack(">H", len(EXIF_TURNED) + 2) + EXIF_TURNED + content[2:]
    np.testing.assert_array_equal(decode_bgr(turned), decode_bgr(content))
    # The tag is real: OpenCV turns the picture unless told not to.
    assert np.asarray(cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR)).shape == (120, 90, 3)


@pytest.mark.parametrize("name", hostile_images.REFUSED)
def test_hostile_files_are_refused_with_a_reason(name: str) -> None:
    began_s, before_kb = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(PermanentError) as refused:
        decode_bgr(hostile_images.REFUSED[name])
    assert refused.value.reason in {Reason.UNREADABLE_IMAGE, Reason.TOO_LARGE}
    assert len(refused.value.detail) > 10
    assert time.perf_counter() - began_s < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 64 * 1024


@pytest.mark.parametrize("name", hostile_images.READ)
def test_odd_files_are_read_as_three_channels_of_bytes(name: str) -> None:
    header = probe(hostile_images.READ[name])
    decoded = decode_bgr(hostile_images.READ[name], at_least_px=450)
    assert decoded.dtype == np.uint8
    assert decoded.shape == (header.height, header.width, 3)


def test_size_limit_is_exact() -> None:
    content = hostile_images.encoded(".png", width=120, height=90)
    assert decode_bgr(content, max_pixels=120 * 90).shape == (90, 120, 3)
    with pytest.raises(PermanentError, match="120×90") as refused:
        decode_bgr(content, max_pixels=120 * 90 - 1)
    assert refused.value.reason == Reason.TOO_LARGE


def test_fifty_megapixels_are_too_large() -> None:
    with pytest.raises(PermanentError) as refused:
        decode_bgr(hostile_images.jpeg_that_claims(10_000, 5_000))
    assert refused.value.reason == Reason.TOO_LARGE


def test_damage_inside_the_pixels_raises_nothing_else() -> None:
    content = hostile_images.encoded(".jpg")
    rng = np.random.default_rng(3)
    for _ in range(200):
        damaged = bytearray(content)
        for at in rng.integers(0, len(content), 5):
            damaged[at] = rng.integers(256)
        try:
            assert decode_bgr(bytes(damaged), max_pixels=1_000_000).ndim == 3
        except PermanentError:
            continue
