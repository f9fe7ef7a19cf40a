"""What devices say: states into shadows, telemetry into objects."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from digiscope_cloud.fleet.desired import is_behind
from digiscope_cloud.fleet.reported import ReportedState, fold
from digiscope_cloud.fleet.shadow import Shadows
from digiscope_cloud.ports import AlreadyExistsError, ObjectStore
from digiscope_shared import object_names
from digiscope_shared.codec import Envelope, decode_json
from digiscope_shared.errors import PermanentError, Reason
from digiscope_shared.lifecycle import DeviceLifecycle
from digiscope_shared.messages import DeviceState, TelemetryReading
from digiscope_shared.mqtt_topics import Channel, is_device_id

log = structlog.get_logger()


def utc_now() -> datetime:
    return datetime.now(UTC)


class EventsDesk:
    """Answers what comes on `device-events-fleet`; a repeat changes nothing."""

    def __init__(self, shadows: Shadows, store: ObjectStore, *, now: Callable[[], datetime] = utc_now) -> None:
        self._shadows = shadows
        self._store = store
        self._now = now
        self._takers = {Channel.STATE: self._take_state, Channel.TELEMETRY: self._take_telemetry}

    def answer(self, envelope: Envelope) -> None:
        """Route by channel; what other services read is passed over.

        Raises:
            PermanentError: no device id, or a body that doesn't fit its channel.
            TransientError: storage or Pub/Sub failed.
        """
        device_id, channel = envelope.attributes.get("device_id", ""), envelope.attributes.get("channel", "")
        if not is_device_id(device_id):
            raise PermanentError(Reason.BAD_ATTRIBUTES, f"device_id {device_id[:80]!r}")
        take = self._takers.get(Channel(channel)) if channel in frozenset(Channel) else None
        if take is not None:
            take(device_id, envelope.body)

    def _take_state(self, device_id: str, body: bytes) -> None:
        incoming = decode_json(DeviceState, body)
        received_at = self._now().isoformat()

        def change(current: ReportedState | None) -> ReportedState | None:
            state = fold(current.state if current else None, incoming)
            if state is None:
                return None
            return ReportedState(device_id=device_id, received_at=received_at, state=state)

        reported = self._shadows.report(device_id, change)
        if reported is None:
            log.info("state_passed_over", device_id=device_id, lifecycle=str(incoming.lifecycle))
            return
        log.info("state_reported", device_id=device_id, lifecycle=str(reported.state.lifecycle))
        self._send_if_behind(device_id, reported.state)

    def _send_if_behind(self, device_id: str, state: DeviceState) -> None:
        desired = self._shadows.desired(device_id) if state.lifecycle is DeviceLifecycle.READY else None
        if desired is not None and is_behind(state, desired):
            log.info("config_sent_again", device_id=device_id, reported=state.config_version, desired=desired.version)
            self._shadows.send(device_id)

    def _take_telemetry(self, device_id: str, body: bytes) -> None:
        reading = decode_json(TelemetryReading, body)
        digest = hashlib.sha256(body).hexdigest()
        name = object_names.telemetry(device_id, reading.subject, reading.metric, digest)
        try:
            self._store.create(name, body, content_type="application/json")
        except AlreadyExistsError:
            log.info("reading_repeated", device_id=device_id, metric=reading.metric)
