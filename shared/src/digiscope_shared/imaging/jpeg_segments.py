"""JPEG as a list of marker segments (ITU-T T.81, annex B), without decoding a pixel."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

SOI: Final = 0xD8
EOI: Final = 0xD9
SOS: Final = 0xDA
APP0: Final = 0xE0
APP14: Final = 0xEE
# Start of frame, all kinds; C4, C8 and CC among them are tables.
SOF: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Markers without a length: restart intervals, TEM.
_BARE: Final = frozenset({0x01, *range(0xD0, 0xD8)})
# In entropy-coded data FF is stuffed (FF 00), a restart, or the next segment.
_NEXT_MARKER: Final = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")


class BrokenJpegError(ValueError):
    """The bytes end or derail before the end-of-image marker."""


@dataclass(frozen=True, slots=True)
class Segment:
    """`content[start:end]` is the whole segment with its marker, and the coded data where it is a scan."""

    marker: int
    start: int
    payload_start: int
    end: int


def segments(content: bytes) -> Iterator[Segment]:
    """Walk from SOI to EOI; what lies behind EOI is not looked at.

    Raises:
        BrokenJpegError: no SOI, no EOI, or a length that leads nowhere.
    """
    if not content.startswith(b"\xff\xd8"):
        raise BrokenJpegError("doesn't start as a JPEG")
    yield Segment(SOI, 0, 2, 2)
    position = 2
    while True:
        segment = _segment_at(content, position)
        yield segment
        if segment.marker == EOI:
            return
        position = segment.end


def _segment_at(content: bytes, position: int) -> Segment:
    start = position
    while content[position : position + 2] == b"\xff\xff":  # fill bytes
        position += 1
    if position + 2 > len(content) or content[position] != 0xFF:  # noqa: PLR2004 - the marker's first byte
        raise BrokenJpegError("ends before its end-of-image marker: truncated?")
    marker = content[position + 1]
    if marker == EOI or marker in _BARE:
        return Segment(marker, start, position + 2, position + 2)
    length = int.from_bytes(content[position + 2 : position + 4])
    end = position + 2 + length
    if length < 2 or end > len(content):  # noqa: PLR2004 - the length counts its own two bytes
        raise BrokenJpegError("a segment is longer than the file: truncated?")
    if marker == SOS:
        following = _NEXT_MARKER.search(content, end)
        if following is None:
            raise BrokenJpegError("ends inside its pixels: truncated?")
        end = following.start()
    return Segment(marker, start, position + 4, end)
