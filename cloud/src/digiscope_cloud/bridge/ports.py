"""What the bridge needs beside `digiscope_cloud.ports`: the device's side of it."""

from collections.abc import Callable
from typing import Protocol

from digiscope_shared.codec import Envelope


class DeviceDownlink(Protocol):
    """Publishes to devices at QoS 1; `MqttSession` is one."""

    def publish(
        self,
        mqtt_topic: str,
        envelope: Envelope,
        *,
        retain: bool = False,
        expiry_s: int | None = None,
        on_taken: Callable[[], None] | None = None,
        on_refused: Callable[[str], None] | None = None,
    ) -> None:
        """Raise TransientError where not connected, PermanentError where MQTT can't carry it."""
