"""What the agent is told at start, by its settings file."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta

from digiscope_edge.camera_settings import CameraSettings
from digiscope_shared.errors import SettingsError
from digiscope_shared.messages.capture import FrameWidthMm
from digiscope_shared.mqtt.settings import MqttSettings
from digiscope_shared.mqtt_topics import is_device_id
from digiscope_shared.settings_file import load

DEFAULT_FILE: Final = Path("/etc/digiscope/edge.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxSettings:
    """`limit_bytes` of held images; `reserve_bytes` that stay free on the disk; answered captures kept to look at."""

    limit_bytes: Annotated[int, Meta(ge=1)] = 2 * 1024**3
    reserve_bytes: Annotated[int, Meta(ge=0)] = 256 * 1024**2
    history: Annotated[int, Meta(ge=0)] = 1000
    # Prints the key that images are sealed with on the disk, such as [keyctl, pipe, "%user:digiscope"] or
    # [secret-tool, lookup, digiscope, outbox]; DIGISCOPE_OUTBOX_KEY goes before it. Neither: they lie there open.
    key_command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """`mqtt.username` empty: the device id. `bundle_dir` empty: the prescreen that comes with the agent, if any.

    `frame_width_mm` turns the results' pixels into millimetres: what the dermatoscope shows from left to right.
    """

    device_id: str
    state_dir: str = "/var/lib/digiscope"
    mqtt: MqttSettings = field(default_factory=MqttSettings)
    camera: CameraSettings = field(default_factory=CameraSettings)
    outbox: OutboxSettings = field(default_factory=OutboxSettings)
    watched_folder: str = ""
    telemetry_file: str = ""
    bundle_dir: str = ""
    frame_width_mm: FrameWidthMm | None = None
    # The fleet's public keys: configs and bundles that they didn't sign are refused. Empty: every config is obeyed,
    # which is for the local system alone; `status` and the log say so.
    trusted_keys_file: str = ""


def load_settings(path: Path) -> AgentSettings:
    """Read the settings file; SettingsError with file and line."""
    settings = load(AgentSettings, path)
    if not is_device_id(settings.device_id):
        raise SettingsError(f"{path}: device_id: 1 to 63 of a-z, 0-9, '.', '_', '-', got {settings.device_id!r}")
    return settings
