"""The bridge's settings: the cloud's, the broker's, and how much it may hold in memory."""

import hashlib
from dataclasses import dataclass, field
from typing import Annotated, Final

from msgspec import Meta

from digiscope_cloud.settings import CloudSettings
from digiscope_shared.errors import SettingsError
from digiscope_shared.messages.capture import MAX_IMAGE_BYTES, MAX_PART_BYTES
from digiscope_shared.mqtt import MqttSettings

# An image lies in memory twice while its parts are joined.
ASSEMBLY_COPIES: Final = 2
# A part and the attributes that come with it.
_PACKET_BYTES: Final = MAX_PART_BYTES + 64 * 1024
_MAX_RECEIVE_MAXIMUM: Final = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeSettings(CloudSettings):
    """In memory are at most `uplink_bytes` + `assembly_bytes` + `downlink_bytes` of messages, and one packet more."""

    mqtt: MqttSettings = field(default_factory=MqttSettings)
    # Stable and its own for each replica: the broker keeps a session, with what it holds, under this name.
    replica: Annotated[str, Meta(pattern=r"^[a-z0-9-]{1,32}$")] = "0"
    # Replicas under one name divide the uplink among themselves. It is a secret: Mosquitto lets everybody subscribe, so
    # a device that knew it could join, and what was dealt to it would be gone. Empty: made of the MQTT password.
    share_name: Annotated[str, Meta(pattern=r"^[a-z0-9-]{0,64}$")] = ""
    lanes: Annotated[int, Meta(ge=1, le=256)] = 16
    uplink_bytes: Annotated[int, Meta(ge=4 * _PACKET_BYTES)] = 64 * 1024 * 1024
    assembly_bytes: Annotated[int, Meta(ge=ASSEMBLY_COPIES * MAX_IMAGE_BYTES)] = 128 * 1024 * 1024
    downlink_bytes: Annotated[int, Meta(ge=_PACKET_BYTES)] = 8 * 1024 * 1024
    downlink_messages: Annotated[int, Meta(ge=1)] = 500
    stop_within_s: Annotated[float, Meta(gt=0)] = 10.0
    # What was accepted and refused, one chain for each replica; empty: nothing is kept. Each line costs a sync to the
    # disk, and a full disk holds captures back rather than take them without a line.
    audit_log_file: str = ""
    log_level: str = "info"

    @property
    def shared_as(self) -> str:
        """Return the share name; SettingsError where there is neither one nor a password to make it of."""
        if self.share_name:
            return self.share_name
        password = self.mqtt.password()
        if password is None:
            raise SettingsError("share_name: replicas that have no password need one, the same, that nobody can guess")
        return hashlib.sha256(b"digiscope-share:" + password.encode()).hexdigest()[:32]

    @property
    def client_id(self) -> str:
        return f"digiscope-bridge-{self.replica}"

    @property
    def receive_maximum(self) -> int:
        """Return how many unacknowledged packets fit into `uplink_bytes`, were each as large as it may be."""
        return min(_MAX_RECEIVE_MAXIMUM, self.uplink_bytes // _PACKET_BYTES)
