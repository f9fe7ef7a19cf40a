"""W3C Trace Context, level 1: one trace for each capture, from the camera to the terminal."""

import re
import secrets
from typing import Final

_PATTERN: Final = re.compile(r"00-(?P<trace_id>[0-9a-f]{32})-(?P<span_id>[0-9a-f]{16})-[0-9a-f]{2}")


def new_traceparent() -> str:
    """Start a trace."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def child_of(traceparent: str) -> str:
    """Return the same trace with a new span; a malformed parent starts a new trace, as the standard asks."""
    match = _PATTERN.fullmatch(traceparent)
    if match is None:
        return new_traceparent()
    return f"00-{match['trace_id']}-{secrets.token_hex(8)}-01"


def trace_id(traceparent: str) -> str:
    """Return the 32 hexadecimal digits that logs carry; empty where malformed."""
    match = _PATTERN.fullmatch(traceparent)
    return match["trace_id"] if match else ""
