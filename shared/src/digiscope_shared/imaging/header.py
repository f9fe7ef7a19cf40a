"""What an image file says of itself, read before anything is decoded: a header costs nothing, a bomb does."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from digiscope_shared.errors import PermanentError, Reason
from digiscope_shared.imaging import jpeg_segments, png_chunks

# A camera's progressive JPEG has about ten scans. Each is a pass over all pixels, and costs its sender a few bytes,
# https://libjpeg-turbo.org/pmwiki/uploads/About/TwoIssueswiththeJPEGStandard.pdf
MAX_JPEG_SCANS: Final = 64
_IHDR_BYTES: Final = 13


class ImageFormat(StrEnum):
    JPEG = "jpeg"
    PNG = "png"
    BMP = "bmp"
    WEBP = "webp"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageHeader:
    """Format and size in pixels, as stored: an EXIF orientation isn't applied."""

    format: ImageFormat
    width: int
    height: int


def probe(content: bytes) -> ImageHeader:
    """Read format and size, and see that the file is whole.

    Raises:
        PermanentError: UNREADABLE_IMAGE: empty, truncated, animated, or none of JPEG, PNG, BMP and WebP.
    """
    if not content:
        raise unreadable("the file is empty (0 bytes)")
    try:
        header = _read_header(content)
    except (jpeg_segments.BrokenJpegError, png_chunks.BrokenPngError) as error:
        raise unreadable(str(error)) from error
    if header.width < 1 or header.height < 1:
        raise unreadable(f"the header says {header.width}×{header.height} pixels")
    return header


def unreadable(detail: str) -> PermanentError:
    return PermanentError(Reason.UNREADABLE_IMAGE, detail)


def _read_header(content: bytes) -> ImageHeader:
    if content.startswith(b"\xff\xd8\xff"):
        return _jpeg(content)
    if content.startswith(png_chunks.SIGNATURE):
        return _png(content)
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return _webp(content)
    if content.startswith(b"BM"):
        return _bmp(content)
    raise unreadable("not an image that is read here (JPEG, PNG, BMP, WebP)")


def _jpeg(content: bytes) -> ImageHeader:
    size: tuple[int, int] | None = None
    scans = 0
    for segment in jpeg_segments.segments(content):
        if segment.marker in jpeg_segments.SOF and size is None:
            frame = content[segment.payload_start : segment.end]
            size = int.from_bytes(frame[3:5]), int.from_bytes(frame[1:3])
        scans += segment.marker == jpeg_segments.SOS
        if scans > MAX_JPEG_SCANS:
            raise unreadable(f"more than {MAX_JPEG_SCANS} scans: a JPEG that is made to cost time")
    if size is None or not scans:
        raise unreadable("a JPEG without pixels")
    return ImageHeader(format=ImageFormat.JPEG, width=size[0], height=size[1])


def _png(content: bytes) -> ImageHeader:
    first, *others = png_chunks.chunks(content)
    kinds = [chunk.kind for chunk in others]
    if first.kind != b"IHDR" or first.payload_bytes != _IHDR_BYTES or b"IDAT" not in kinds:
        raise unreadable("a PNG without pixels")
    if b"acTL" in kinds:
        raise unreadable("an animated PNG: which of its frames is meant?")
    size = content[16:24]
    return ImageHeader(format=ImageFormat.PNG, width=int.from_bytes(size[:4]), height=int.from_bytes(size[4:]))


def _webp(content: bytes) -> ImageHeader:
    """Read https://developers.google.com/speed/webp/docs/riff_container, all three kinds."""
    if len(content) < 30 or int.from_bytes(content[4:8], "little") + 8 > len(content):  # noqa: PLR2004 - the header
        raise unreadable("the WebP file is longer than its bytes: truncated?")
    kind = content[12:16]
    if kind == b"VP8X":
        if content[20] & 0b10:
            raise unreadable("an animated WebP: which of its frames is meant?")
        width, height = (int.from_bytes(content[at : at + 3], "little") + 1 for at in (24, 27))
    elif kind == b"VP8L":
        bits = int.from_bytes(content[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (int.from_bytes(content[at : at + 2], "little") & 0x3FFF for at in (26, 28))
    else:
        raise unreadable("a WebP without pixels")
    return ImageHeader(format=ImageFormat.WEBP, width=width, height=height)


def _bmp(content: bytes) -> ImageHeader:
    if len(content) < 26 or int.from_bytes(content[2:6], "little") > len(content):  # noqa: PLR2004 - the header
        raise unreadable("the BMP file is longer than its bytes: truncated?")
    width, height = (int.from_bytes(content[at : at + 4], "little", signed=True) for at in (18, 22))
    return ImageHeader(format=ImageFormat.BMP, width=width, height=abs(height))
