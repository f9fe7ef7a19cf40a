"""One step of a capture's way, as a device or the cloud accounts for it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class StepName(StrEnum):
    """In the order of the way; `capture_trace` says what each one proves."""

    ACCEPTED = "accepted"
    SENT = "sent"
    PARTS_STORED = "parts stored"
    REFUSED = "refused"
    REJECTED = "rejected receipt"
    UNREADABLE = "unreadable"
    DISCARDED = "discarded"
    IMAGE_STORED = "image stored"
    RECORDED = "recorded"
    RECEIPT = "stored receipt"
    OVERLAY_STORED = "overlay stored"
    UNANALYSED = "not analysed"
    ANALYSED = "analysed"
    UNDELIVERED = "not delivered"
    SHOWN = "shown"


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceStep:
    """`at` is ISO 8601 on the clock of `where`, `device` or `cloud`; empty where nobody wrote it down."""

    SCHEMA: ClassVar[str] = "digiscope.trace-step/1"

    capture_id: str
    where: str
    name: StepName
    at: str = ""
    detail: str = ""
