"""Damage that knows JPEG and PNG: sizes that aren't so, segments and chunks with a right length and checksum."""

import struct
import zlib
from collections.abc import Callable
from typing import Final

from hypothesis import strategies as st

from digiscope_shared.imaging import jpeg_segments, png_chunks
from tests.support.hostile_images import png_chunk

Edit = Callable[[bytes], bytes]
# Around what is decoded and what formats can say; what is just below the limit costs a second each.
_SIDES: Final = st.sampled_from(
    [0, 1, 2, 7, 8, 9, 16, 100, 149, 151, 300, 1000, 1000, 65_500, 65_535, 2**31 - 1, 2**32 - 1]
)
_NEAR_THE_LIMIT: Final = st.sampled_from([(7071, 7071), (7072, 7071), (50_000, 999), (999, 50_000), (65_500, 700)])
_SIZES: Final = st.integers(0, 60).flatmap(lambda draw: st.tuples(_SIDES, _SIDES) if draw else _NEAR_THE_LIMIT)
_MARKERS: Final = st.sampled_from([*range(0xC0, 0x100), 0x01])
_KINDS: Final = st.sampled_from(
    b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB acTL fcTL fdAT iCCP eXIf tEXt zTXt iTXt sBIT bKGD hIST prIv".split()
)


def edits(secret: bytes) -> st.SearchStrategy[Edit]:
    """Draw one; `secret` stands for what metadata tells."""
    payloads = st.binary(max_size=40) | st.sampled_from(
        [
            secret,
            b"JFIF\0\1\1\0\0\1\0\1\2\2" + secret,
            b"Exif\0\0MM\0*\0\0\0\x08" + secret,
            b"Adobe" + secret,
            zlib.compress(bytes(9999)),
        ]
    )
    return st.one_of(
        st.builds(_claiming, _SIZES),
        st.builds(_claiming, _SIZES),
        st.builds(_with_segment, st.integers(0, 20), _MARKERS, payloads),
        st.builds(_with_chunk, st.integers(0, 20), _KINDS, payloads),
        st.builds(_with_scans, st.integers(1, 80)),
        payloads.map(lambda payload: lambda content: content + payload),
        st.builds(_with_ihdr_byte, st.integers(8, 12), st.integers(0, 255)),
    )


def _claiming(size: tuple[int, int]) -> Edit:
    """Write another size into the header, whichever format it is."""
    width, height = size

    def edit(content: bytes) -> bytes:
        if content.startswith(png_chunks.SIGNATURE):
            return _png_with_header(
                content, struct.pack(">II", width & 0xFFFFFFFF, height & 0xFFFFFFFF) + content[24:29]
            )
        if content.startswith(b"BM"):
            return content[:18] + struct.pack("<II", width & 0xFFFFFFFF, height & 0xFFFFFFFF) + content[26:]
        if content.startswith(b"RIFF"):
            return content[:26] + struct.pack("<HH", width & 0xFFFF, height & 0xFFFF) + content[30:]
        at = next(
            (content.find(bytes([0xFF, marker])) for marker in (0xC0, 0xC2) if bytes([0xFF, marker]) in content), -1
        )
        if at < 0:
            return content
        return content[: at + 5] + struct.pack(">HH", height & 0xFFFF, width & 0xFFFF) + content[at + 9 :]

    return edit


def _with_ihdr_byte(place: int, value: int) -> Edit:
    """Change a PNG's depth, colour type, compression, filter or interlacing."""

    def edit(content: bytes) -> bytes:
        if not content.startswith(png_chunks.SIGNATURE):
            return content
        fields = bytearray(content[16:29])
        if len(fields) > place:
            fields[place] = value
        return _png_with_header(content, bytes(fields))

    return edit


def _png_with_header(content: bytes, fields: bytes) -> bytes:
    return content[:8] + png_chunk(b"IHDR", fields) + content[33:]


def _with_segment(place: int, marker: int, payload: bytes) -> Edit:
    def edit(content: bytes) -> bytes:
        try:
            ends = [segment.end for segment in jpeg_segments.segments(content)]
        except jpeg_segments.BrokenJpegError:
            return content
        at = ends[place % len(ends)]
        segment = bytes([0xFF, marker]) + struct.pack(">H", len(payload) + 2) + payload
        return content[:at] + segment + content[at:]

    return edit


def _with_chunk(place: int, kind: bytes, payload: bytes) -> Edit:
    def edit(content: bytes) -> bytes:
        try:
            ends = [chunk.end for chunk in png_chunks.chunks(content)]
        except png_chunks.BrokenPngError:
            return content
        at = ends[place % len(ends)]
        return content[:at] + png_chunk(kind, payload) + content[at:]

    return edit


def _with_scans(times: int) -> Edit:
    """Repeat a JPEG's last scan."""

    def edit(content: bytes) -> bytes:
        at = content.rfind(b"\xff\xda")
        return content if at < 0 else content[:at] + content[at:-2] * times + content[-2:]

    return edit
