"""What happened on the device, past tense: the terminal, the logs and `state` are drawn from these alone."""

from dataclasses import dataclass
from typing import TypeAlias

from digiscope_shared.messages import AnalysisResult, CameraHealth, Prescreen


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureAccepted:
    capture_id: str
    sequence: int
    source: str
    image_bytes: int
    prescreen: Prescreen | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureRefused:
    """The quality gate, the outbox or the decoder said no; `advice` tells the nurse what to do."""

    source: str
    reason: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureProgressed:
    """Some parts were taken by the broker: `parts_sent` of `parts`."""

    capture_id: str
    parts_sent: int
    parts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureStored:
    capture_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureRejected:
    capture_id: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureAnswered:
    """The first result of this model for this capture; repeats raise no event."""

    capture_id: str
    result: AnalysisResult
    latency_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkChanged:
    connected: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraChanged:
    health: CameraHealth


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigApplied:
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigRefused:
    version: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxChanged:
    captures: int
    held_bytes: int
    full: bool


Event: TypeAlias = (
    CaptureAccepted
    | CaptureRefused
    | CaptureProgressed
    | CaptureStored
    | CaptureRejected
    | CaptureAnswered
    | LinkChanged
    | CameraChanged
    | ConfigApplied
    | ConfigRefused
    | OutboxChanged
)
