"""How many bytes may be held unacknowledged before a session stops reading."""

import threading


class ByteWindow:
    """Counts what was received and not yet acked, on every link of a session; one message may overshoot the limit.

    MQTT's Receive Maximum would do the same in messages, but Mosquitto 2.0.11 doesn't keep it: with n allowed, each
    PUBACK lets up to n more out, so the number outstanding grows by n - 1 with every ack, without bound.
    """

    def __init__(self, limit_bytes: int | None) -> None:
        self._limit_bytes = limit_bytes
        self._held_bytes = 0
        self._lock = threading.Lock()

    @property
    def held_bytes(self) -> int:
        return self._held_bytes

    @property
    def full(self) -> bool:
        return self._limit_bytes is not None and self._held_bytes >= self._limit_bytes

    def take(self, count_bytes: int) -> None:
        with self._lock:
            self._held_bytes += count_bytes

    def give_back(self, count_bytes: int) -> None:
        with self._lock:
            self._held_bytes -= count_bytes
