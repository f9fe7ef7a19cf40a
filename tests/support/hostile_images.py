"""Image files that are broken, odd, or made to hurt; small, and made without a drawing program."""

import struct
import zlib
from typing import Final

import cv2
import numpy as np

from digiscope_shared.imaging import png_chunks
from digiscope_shared.imaging.phantoms import draw_phantom


def encoded(extension: str, *, seed: int = 1, width: int = 120, height: int = 90) -> bytes:
    return encode(extension, draw_phantom(seed, width=width, height=height))


def encode(extension: str, pixels: object) -> bytes:
    done, content = cv2.imencode(extension, pixels)
    assert done
    return content.tobytes()


def png_chunk(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def png_bomb(width: int = 30_000, height: int = 30_000) -> bytes:
    """Announce 2.7 GB of pixels in a kilobyte."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return png_chunks.SIGNATURE + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")


def jpeg_that_claims(width: int, height: int) -> bytes:
    """Rewrite a small JPEG's frame header: the pixels for that size never come."""
    content = encoded(".jpg")
    at = content.index(b"\xff\xc0")
    return content[: at + 5] + struct.pack(">HH", height, width) + content[at + 9 :]


def jpeg_of_many_scans(scans: int = 5000) -> bytes:
    """Repeat a JPEG's scan: each costs the decoder a pass over the picture."""
    content = encoded(".jpg")
    at = content.index(b"\xff\xda")
    return content[:at] + content[at:-2] * scans + b"\xff\xd9"


def animated_png() -> bytes:
    content = encoded(".png")
    after_header = content.index(b"IHDR") + 4 + 13 + 4
    return content[:after_header] + png_chunk(b"acTL", struct.pack(">II", 2, 0)) + content[after_header:]


def animated_webp() -> bytes:
    """Turn a still WebP into an extended one that says that it is animated."""
    still = encoded(".webp")
    extended = b"VP8X" + struct.pack("<I", 10) + bytes([0b10, 0, 0, 0]) + (119).to_bytes(3, "little")
    body = b"WEBP" + extended + (89).to_bytes(3, "little") + still[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def cmyk_jpeg() -> bytes:
    """Four components, Adobe's marker: what a print shop's program writes. OpenCV can't write it, so: a flat one.

    One 8×8 block of each component, no difference to the mean, in a JPEG of one MCU: grey.
    """
    quantisation = b"\xff\xdb" + struct.pack(">HB", 67, 0) + bytes([1] * 64)
    adobe = b"\xff\xee" + struct.pack(">H", 14) + b"Adobe" + struct.pack(">HHHB", 100, 0, 0, 0)
    components = b"".join(bytes([number, 0x11, 0]) for number in range(1, 5))
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 20, 8, 64, 64, 4) + components
    # One code of one bit each: 0 is "no difference" (DC) and "end of block" (AC).
    tables = b"".join(b"\xff\xc4" + struct.pack(">HB", 20, kind) + bytes([1] + [0] * 15) + b"\0" for kind in (0, 0x10))
    scan = b"\xff\xda" + struct.pack(">HB", 14, 4) + b"".join(bytes([n, 0]) for n in range(1, 5)) + b"\0\x3f\0"
    blocks = 64 // 8 * (64 // 8) * 4
    return b"\xff\xd8" + adobe + quantisation + frame + tables + scan + bytes(blocks * 2 // 8) + b"\xff\xd9"


def sixteen_bit_png() -> bytes:
    return encode(".png", draw_phantom(1, width=120, height=90).astype(np.uint16) * 257)


def transparent_png() -> bytes:
    pixels = draw_phantom(1, width=120, height=90)
    return encode(".png", np.dstack([pixels, np.full(pixels.shape[:2], 40, np.uint8)]))


def flat(extension: str, width: int, height: int) -> bytes:
    return encode(extension, np.full((height, width, 3), 128, np.uint8))


# What a decoder must refuse, by name; none of it needs more than its own bytes to be refused.
REFUSED: Final = {
    "empty": b"",
    "not an image": b"Dear doctor, please find attached",
    "text that starts as a JPEG": b"\xff\xd8\xff" + b"Dear doctor" * 40,
    "truncated jpeg": encoded(".jpg")[:1500],
    "jpeg without its last byte": encoded(".jpg")[:-1],
    "truncated png": encoded(".png")[:1500],
    "truncated webp": encoded(".webp")[:500],
    "truncated bmp": encoded(".bmp")[:1500],
    "headers alone": b"\xff\xd8\xff\xd9",
    "animated png": animated_png(),
    "animated webp": animated_webp(),
    "gif": b"GIF89a" + bytes(40),
    "png bomb": png_bomb(),
    "png without pixels": png_bomb(0, 0),
    "jpeg that claims 50 megapixels": jpeg_that_claims(10_000, 5_000),
    "jpeg that claims 4 gigapixels": jpeg_that_claims(65_500, 65_500),
    "jpeg of 5000 scans": jpeg_of_many_scans(),
}

# Odd, and readable.
READ: Final = {
    "16 bits": sixteen_bit_png(),
    "alpha": transparent_png(),
    "cmyk": cmyk_jpeg(),
    "grey": encode(".jpg", draw_phantom(1, width=120, height=90)[..., 0]),
    "1×1": flat(".png", 1, 1),
    "1×10000": flat(".png", 1, 10_000),
    "10000×1": flat(".jpg", 10_000, 1),
    "trailing bytes": encoded(".jpg") + b"what a phone's camera app leaves" * 100,
}
