"""Sends a wearable's readings. A reading is kept on disk until the broker's PUBACK, not until a receipt.

A picture is the only copy of a lesion on a day, so it waits for the cloud's word. A reading is one of a dense series:
a receipt for each would double the traffic on a thin link. What a broker loses after its PUBACK (a crash inside its
autosave window, a full queue) shows as a gap in `sequence`, which has none otherwise; what comes twice has the same
number. So a loss is never silent.
"""

from collections.abc import Callable
from typing import Final

from digiscope_edge import inbox
from digiscope_edge.ports import Outbox, Uplink
from digiscope_shared.codec import Envelope, encode_json
from digiscope_shared.errors import TransientError
from digiscope_shared.messages import TelemetryReading
from digiscope_shared.mqtt_topics import Channel, DeviceTopic

WINDOW: Final = 100


class TelemetryPump:
    def __init__(self, device_id: str, *, outbox: Outbox, uplink: Uplink, post: Callable[[inbox.Item], None]) -> None:
        self._outbox, self._uplink, self._post = outbox, uplink, post
        self._topic = str(DeviceTopic(device_id=device_id, channel=Channel.TELEMETRY))
        self._in_flight: set[int] = set()
        self._last_sent = 0

    def pump(self) -> None:
        """Hand over what waits, in order, WINDOW at a time."""
        room = WINDOW - len(self._in_flight)
        if room <= 0 or not self._uplink.connected:
            return
        for reading in self._outbox.readings(after=self._last_sent, limit=room):
            try:
                self._send(reading)
            except TransientError:
                return

    def taken(self, item: inbox.ReadingTaken) -> None:
        self._in_flight.discard(item.sequence)
        self._outbox.drop_reading(item.sequence)

    def _send(self, reading: TelemetryReading) -> None:
        envelope = Envelope(attributes={"schema": TelemetryReading.SCHEMA}, body=encode_json(reading))
        taken = inbox.ReadingTaken(sequence=reading.sequence)
        self._uplink.publish(self._topic, envelope, on_taken=lambda: self._post(taken))
        self._in_flight.add(reading.sequence)
        self._last_sent = reading.sequence
