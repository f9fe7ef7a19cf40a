"""No name, no place, no time leaves the device inside an image file."""

from typing import Final

from digiscope_shared.imaging import jpeg_segments, png_chunks
from digiscope_shared.imaging.header import unreadable
from digiscope_shared.imaging.jpeg_segments import APP0, APP14, EOI, SOF, SOI, SOS, Segment

# Tables, frame, scans, and the two application segments that tell a decoder how colours are coded.
_JPEG_KEPT: Final = frozenset({SOI, EOI, SOS, 0xC4, 0xDB, 0xDC, 0xDD, *SOF, *range(0xD0, 0xD8)})
_JFIF_BYTES: Final = 14
_ADOBE_BYTES: Final = 12
# No other chunk changes what OpenCV decodes, and each could hold a sentence.
_PNG_KEPT: Final = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND"})


def strip_metadata(content: bytes) -> bytes:
    """Drop EXIF, XMP, IPTC, ICC, comments, thumbnails, text and whatever follows the image; pixels stay bit for bit.

    What is kept is listed, not what is dropped: an unknown segment goes too. The EXIF orientation goes with the rest;
    `decode_bgr` never applies it.

    Raises:
        PermanentError: UNREADABLE_IMAGE: truncated, or neither JPEG nor PNG; transcode others first.
    """
    try:
        if content.startswith(b"\xff\xd8\xff"):
            return _strip_jpeg(content)
        if content.startswith(png_chunks.SIGNATURE):
            return _strip_png(content)
    except (jpeg_segments.BrokenJpegError, png_chunks.BrokenPngError) as error:
        raise unreadable(str(error)) from error
    raise unreadable("metadata is stripped from JPEG and PNG only")


def _strip_jpeg(content: bytes) -> bytes:
    return b"".join(_kept(content, segment) for segment in jpeg_segments.segments(content))


def _kept(content: bytes, segment: Segment) -> bytes:
    payload = content[segment.payload_start : segment.end]
    if segment.marker == APP0 and payload.startswith(b"JFIF\0"):
        # Its last two bytes are the thumbnail's size, which follows them.
        return b"\xff\xe0\x00\x10" + payload[: _JFIF_BYTES - 2].ljust(_JFIF_BYTES - 2, b"\0") + b"\0\0"
    if segment.marker == APP14 and payload.startswith(b"Adobe"):
        return b"\xff\xee\x00\x0e" + payload[:_ADOBE_BYTES].ljust(_ADOBE_BYTES, b"\0")
    if segment.marker in _JPEG_KEPT:
        return content[segment.start : segment.end]
    return b""


def _strip_png(content: bytes) -> bytes:
    kept = (content[chunk.start : chunk.end] for chunk in png_chunks.chunks(content) if chunk.kind in _PNG_KEPT)
    return png_chunks.SIGNATURE + b"".join(kept)
