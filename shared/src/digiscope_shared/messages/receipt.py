"""What the bridge tells the device about a capture."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from digiscope_shared.errors import Reason


class ReceiptKind(StrEnum):
    STORED = "stored"
    REJECTED = "rejected"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """`stored` frees the image on the device; `rejected` carries a reason; `missing` names the parts to send."""

    SCHEMA: ClassVar[str] = "digiscope.receipt/1"

    capture_id: str
    kind: ReceiptKind
    reason: Reason | None = None
    detail: str = ""
    missing_parts: tuple[int, ...] = ()
    traceparent: str = ""
