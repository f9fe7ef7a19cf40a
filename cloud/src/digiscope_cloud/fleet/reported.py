"""The reported half of a device's shadow: which report is the newer one. Pure."""

from dataclasses import dataclass, replace
from typing import ClassVar

from digiscope_shared.lifecycle import DeviceLifecycle
from digiscope_shared.messages import DeviceState


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedState:
    """What a device last said of itself, and when that reached the fleet service (ISO 8601, UTC)."""

    SCHEMA: ClassVar[str] = "digiscope.reported-state/1"

    device_id: str
    received_at: str
    state: DeviceState


def fold(current: DeviceState | None, incoming: DeviceState) -> DeviceState | None:
    """Return the state after a report, None where it says nothing new.

    The Will is written when the device connects, so that its figures are old when it is published: only its `lost`
    counts, and only for the boot that is known. Of one boot, the later `reported_at` wins. Between boots the order of
    arrival decides: a device without a clock chip may come up in the past.
    """
    if current is None:
        return incoming
    same_boot = incoming.boot_id == current.boot_id
    if incoming.lifecycle is DeviceLifecycle.LOST:
        return replace(current, lifecycle=DeviceLifecycle.LOST) if same_boot else None
    if same_boot and incoming.reported_at < current.reported_at:
        return None
    return incoming
