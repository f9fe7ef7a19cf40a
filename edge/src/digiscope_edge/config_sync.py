"""What the cloud may change on a device, and when a desired config comes into force. Pure."""

from dataclasses import dataclass, field
from typing import Annotated

from msgspec import Meta

from digiscope_edge.captures import ConfigMemory
from digiscope_edge.custody import CustodyPolicy
from digiscope_edge.events import ConfigApplied, ConfigRefused
from digiscope_shared.errors import SettingsError
from digiscope_shared.imaging.quality import QualityThresholds
from digiscope_shared.messages import DesiredConfig
from digiscope_shared.settings_file import from_mapping

Seconds = Annotated[float, Meta(gt=0, le=86_400)]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceConfig:
    """In force at once, no restart. `jpeg_quality` is for pictures in formats that aren't sent as they are.

    `steady_trigger` None: as the device's own settings say.
    """

    quality: QualityThresholds = field(default_factory=QualityThresholds)
    prescreen: bool = True
    jpeg_quality: Annotated[int, Meta(ge=50, le=100)] = 95
    steady_trigger: bool | None = None
    receipt_timeout_s: Seconds = 15.0
    result_timeout_s: Seconds = 60.0
    retry_cap_s: Seconds = 600.0
    uplink_window_bytes: Annotated[int, Meta(ge=16 * 1024, le=64 * 1024**2)] = 1024**2
    unconfirmed_bytes: Annotated[int, Meta(ge=1024**2)] = 32 * 1024**2
    unconfirmed_captures: Annotated[int, Meta(ge=1)] = 4

    @property
    def custody_policy(self) -> CustodyPolicy:
        return CustodyPolicy(
            receipt_timeout_s=self.receipt_timeout_s,
            result_timeout_s=self.result_timeout_s,
            retry_cap_s=self.retry_cap_s,
            window_bytes=self.uplink_window_bytes,
            unconfirmed_bytes=self.unconfirmed_bytes,
            unconfirmed_captures=self.unconfirmed_captures,
        )


class ConfigSync:
    """Holds the config in force: the last good one. A remembered one that this version can't read is refused anew."""

    def __init__(self, memory: ConfigMemory) -> None:
        self.config = DeviceConfig()
        self.version = 0
        self.model_digest = ""
        self.refused: ConfigRefused | None = None
        self.distrusted: ConfigRefused | None = None
        if memory.applied is not None:
            self.consider(memory.applied)
        if memory.refused_version > self.version:
            self.refused = ConfigRefused(version=memory.refused_version, detail=memory.refused_detail)

    def consider(self, desired: DesiredConfig) -> ConfigApplied | ConfigRefused | None:
        """Bring it into force, or say why not; None where it isn't newer than what was considered before."""
        if desired.version <= max(self.version, self.refused.version if self.refused else 0):
            return None
        try:
            config = from_mapping(DeviceConfig, desired.config, source=f"config version {desired.version}")
        except SettingsError as error:
            self.refused = ConfigRefused(version=desired.version, detail=str(error))
            return self.refused
        self.config, self.version, self.model_digest = config, desired.version, desired.model_digest
        self.refused = self.distrusted = None
        return ConfigApplied(version=desired.version)

    def distrust(self, version: int, detail: str) -> ConfigRefused:
        """Note that a stranger's config came. Its version counts for nothing: a forged one must block no true one."""
        self.distrusted = ConfigRefused(version=version, detail=detail)
        return self.distrusted
