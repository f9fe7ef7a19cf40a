"""What is worth a line: acts that a person may later have to answer for. Pseudonyms and digests only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class Act(StrEnum):
    """Past tense; a log keeps these words for decades, so none is ever renamed."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    CONFIGURED = "configured"
    ENROLLED = "enrolled"
    ROTATED = "rotated"
    REVOKED = "revoked"
    SIGNED = "signed"
    PROMOTED = "promoted"
    WITHDRAWN = "withdrawn"
    REVIEWED = "reviewed"
    AMENDED = "amended"
    ERASED = "erased"
    REPLAYED = "replayed"
    DROPPED = "dropped"
    # The log itself: a line was torn by a power cut, and its bytes were set aside.
    RECOVERED = "recovered"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """`subject` is what was acted on (capture id, device id, model digest), `actor` who did it; never a patient."""

    act: Act
    subject: str
    actor: str
    detail: Mapping[str, str] = field(default_factory=dict)


class AuditLog(Protocol):
    """An act counts as done when its line is kept."""

    def append(self, entry: AuditEntry) -> None:
        """Return when the line is on disk; TransientError where it can't be."""


class NoAuditLog:
    """Keeps nothing: for the demo and for tests that look elsewhere."""

    def append(self, entry: AuditEntry) -> None:
        pass
