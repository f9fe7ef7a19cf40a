"""PNG as a list of chunks (https://www.w3.org/TR/png-3/#5Chunk-layout), without inflating one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_FRAME_BYTES: Final = 12  # length, type, checksum


class BrokenPngError(ValueError):
    """The bytes end or derail before the IEND chunk."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """`content[start:end]` is the whole chunk; `kind` its four letters."""

    kind: bytes
    start: int
    payload_start: int
    end: int

    @property
    def payload_bytes(self) -> int:
        return self.end - self.start - _FRAME_BYTES


def chunks(content: bytes) -> Iterator[Chunk]:
    """Walk from the first chunk to IEND; what lies behind it is not looked at.

    Raises:
        BrokenPngError: no signature, the file ends before IEND does, or IEND holds anything.
    """
    if not content.startswith(SIGNATURE):
        raise BrokenPngError("doesn't start as a PNG")
    position = len(SIGNATURE)
    while True:
        end = position + _FRAME_BYTES + int.from_bytes(content[position : position + 4])
        kind = content[position + 4 : position + 8]
        if end > len(content) or len(kind) < len(b"IEND"):
            raise BrokenPngError("ends before its last chunk: truncated?")
        chunk = Chunk(kind, position, position + 8, end)
        if kind == b"IEND" and chunk.payload_bytes:
            raise BrokenPngError("its last chunk isn't empty")
        yield chunk
        if kind == b"IEND":
            return
        position = end
