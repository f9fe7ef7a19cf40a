"""Capture ids: UUIDv7 (RFC 9562, section 5.7), so that they sort by time and need no coordinator."""

import re
import secrets
import uuid
from typing import Final

_PATTERN: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def new_capture_id(unix_ms: int, entropy: bytes | None = None) -> str:
    """Return a UUIDv7 for `unix_ms`; `entropy` (10 bytes) only in tests."""
    random_bits = int.from_bytes(entropy or secrets.token_bytes(10), "big")
    value = (unix_ms & ((1 << 48) - 1)) << 80 | random_bits & ((1 << 80) - 1)
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0x3 << 62) | 2 << 62
    return str(uuid.UUID(int=value))


def is_capture_id(text: str) -> bool:
    """Tell whether `text` is a lower-case UUIDv7; anything else may not become an object name."""
    return _PATTERN.fullmatch(text) is not None
