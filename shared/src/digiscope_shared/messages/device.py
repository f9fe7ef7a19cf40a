"""What a device reports of itself, and what the cloud desires of it."""

from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from digiscope_shared.lifecycle import DeviceLifecycle
from digiscope_shared.messages.capture import CaptureId, Pseudonym, ShortText


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraHealth:
    """`state` is `ok`, `idle` (nothing asked of it), `frozen`, `gone` or `none` (files only)."""

    state: str
    detail: str = ""
    restarts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigRefusal:
    """Why the desired config `version` is not in force."""

    version: int
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceState:
    """Retained on `state`. The broker publishes one with lifecycle `lost` by the device's Will."""

    SCHEMA: ClassVar[str] = "digiscope.device-state/1"

    lifecycle: DeviceLifecycle
    boot_id: str
    agent_version: str = ""
    reported_at: str = ""
    config_version: int = 0
    config_refused: ConfigRefusal | None = None
    model_digest: str = ""
    outbox_captures: int = 0
    outbox_bytes: int = 0
    outbox_full: bool = False
    camera: CameraHealth | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredConfig:
    """Retained on `config`. `config` is checked by the device, which alone knows what its version understands."""

    SCHEMA: ClassVar[str] = "digiscope.config/1"

    version: Annotated[int, Meta(ge=1)]
    config: dict[str, Any] = field(default_factory=dict)
    model_digest: str = ""
    # The fleet's, over all other fields and the device id (`signing.py`); a device that knows its fleet's key insists.
    signature: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryReading:
    """One reading of a wearable or sensor; `unit` is a UCUM code (https://ucum.org), such as `/min`."""

    SCHEMA: ClassVar[str] = "digiscope.telemetry/1"

    subject: Pseudonym
    metric: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
    value: float
    unit: ShortText
    measured_at: ShortText
    sequence: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRequest:
    """Sent on `responses` by a device whose stored capture got no result in time: the bridge answers from storage."""

    SCHEMA: ClassVar[str] = "digiscope.result-request/1"

    capture_id: CaptureId
