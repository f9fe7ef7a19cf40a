"""Who is wrong, and whether trying again can help: the exception's type decides, never its text."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a message can never be accepted: stable, machine-readable, shown to people with `detail`."""

    BAD_TOPIC = "bad-topic"
    BAD_ATTRIBUTES = "bad-attributes"
    BAD_BODY = "bad-body"
    UNKNOWN_SCHEMA = "unknown-schema"
    BAD_PART = "bad-part"
    TOO_LARGE = "too-large"
    WRONG_HASH = "wrong-hash"
    UNREADABLE_IMAGE = "unreadable-image"
    CAPTURE_ID_TAKEN = "capture-id-taken"
    TOO_SLOW = "too-slow"
    BAD_CONFIG = "bad-config"
    BAD_BUNDLE = "bad-bundle"
    BAD_SIGNATURE = "bad-signature"


class DigiScopeError(Exception):
    """Base of all errors that DigiScope raises on purpose."""


class TransientError(DigiScopeError):
    """A network, disk or peer failed; the same call may succeed later. Retry with backoff."""


class PermanentError(DigiScopeError):
    """The input itself is wrong; no retry can help. Dead-letter it with `reason` and `detail`."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class SettingsError(DigiScopeError):
    """The person at the keyboard can mend it: the message says where and how."""
