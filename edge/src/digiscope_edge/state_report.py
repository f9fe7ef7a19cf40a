"""The device's account of itself: retained on `state` for the cloud, and a file for `digiscope-edge status`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import msgspec
import structlog

from digiscope_edge.ports import Uplink
from digiscope_shared.codec import Envelope, encode_json
from digiscope_shared.errors import DigiScopeError
from digiscope_shared.lifecycle import DeviceLifecycle
from digiscope_shared.messages import DeviceState
from digiscope_shared.mqtt_topics import Channel, DeviceTopic

log = structlog.get_logger()

# A burst of captures is one change.
DEBOUNCE_S: Final = 0.5
HEARTBEAT_S: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentStatus:
    """What another terminal sees of a running agent. `written_at_s` is on the boot's monotonic clock."""

    device_id: str
    pid: int
    written_at_s: float
    connected: bool
    link_detail: str
    device_state: DeviceState


def state_topic(device_id: str) -> str:
    return str(DeviceTopic(device_id=device_id, channel=Channel.STATE))


def state_envelope(state: DeviceState) -> Envelope:
    return Envelope(attributes={"schema": DeviceState.SCHEMA}, body=encode_json(state))


def will_of(device_id: str, boot_id: str) -> tuple[str, Envelope]:
    """Return what the broker shall publish when we vanish."""
    return state_topic(device_id), state_envelope(DeviceState(lifecycle=DeviceLifecycle.LOST, boot_id=boot_id))


class StateReport:
    """Publishes a change at most each DEBOUNCE_S, and anew after each connection, for the Will may have spoken."""

    def __init__(self, device_id: str, *, uplink: Uplink, now_text: Callable[[], str]) -> None:
        self._topic, self._uplink, self._now_text = state_topic(device_id), uplink, now_text
        self._published: DeviceState | None = None
        self._published_at_s = float("-inf")

    def forget(self) -> None:
        self._published = None

    def update(self, state: DeviceState, now_s: float) -> None:
        """Publish where it is due; `state` comes without `reported_at`."""
        if not self._uplink.connected or state == self._published:
            return
        final = state.lifecycle is DeviceLifecycle.STOPPED
        if now_s - self._published_at_s < DEBOUNCE_S and not final and self._published is not None:
            return
        try:
            stamped = replace(state, reported_at=self._now_text())
            self._uplink.publish(self._topic, state_envelope(stamped), retain=True)
        except DigiScopeError as error:
            log.info("state_not_published", error=str(error))
            return
        self._published, self._published_at_s = state, now_s


class StatusFile:
    """Written whole or not at all, at each change and as a heartbeat."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written: AgentStatus | None = None

    def update(self, status: AgentStatus) -> None:
        last = self._written
        unchanged = last is not None and replace(status, written_at_s=last.written_at_s) == last
        if last is not None and unchanged and status.written_at_s - last.written_at_s < HEARTBEAT_S:
            return
        temporary = self._path.with_suffix(".tmp")
        try:
            temporary.touch(mode=0o600)
            temporary.write_bytes(msgspec.json.encode(status))
            temporary.replace(self._path)
        except OSError as error:
            log.warning("status_not_written", error=str(error))
        self._written = status


def read_status(path: Path) -> AgentStatus | None:
    """Return what the agent wrote last; None where there is nothing to read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=AgentStatus)
    except (OSError, msgspec.DecodeError):
        return None
