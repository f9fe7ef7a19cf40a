"""A session that outlives its links: connects, subscribes, and sends again what the broker had not taken.

A thread of its own supervises it. Callbacks run on that thread, may call `publish` and `ack`, must be quick, and should
not raise; if one does, it is logged and the session goes on.
"""

import itertools
import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog
from paho.mqtt.properties import Properties

from digiscope_shared.backoff import Backoff
from digiscope_shared.codec import Envelope
from digiscope_shared.errors import PermanentError, Reason, TransientError
from digiscope_shared.mqtt.byte_window import ByteWindow
from digiscope_shared.mqtt.link import Link, LinkEvent, Subscribed, Taken, Welcome
from digiscope_shared.mqtt.link_status import LinkState, LinkStatus
from digiscope_shared.mqtt.packets import IncomingMessage, packet_bytes, publish_properties
from digiscope_shared.mqtt.settings import MqttSettings

_log = structlog.get_logger()
_TURN_S: Final = 0.5
# Mosquitto 2.0.11 closes the loser's connection without the reason "session taken over". What shows then is a row of
# young links that the broker accepted at once, with our session present, and cut.
_CONTESTED: Final = "another client with the id {!r}? The broker ended {} young connections in a row"
_T = TypeVar("_T")


@dataclass(slots=True, kw_only=True)
class _Publish:
    """Handed over and not yet taken."""

    mqtt_topic: str
    body: bytes
    properties: Properties
    packet_bytes: int
    retain: bool
    on_taken: Callable[[], None] | None
    on_refused: Callable[[str], None] | None


class MqttSession:
    def __init__(
        self,
        settings: MqttSettings,
        *,
        client_id: str,
        topic_filters: Sequence[str],
        on_message: Callable[[IncomingMessage], None],
        on_link: Callable[[LinkStatus], None],
        will: tuple[str, Envelope] | None = None,
        receive_maximum: int | None = None,
        clean_start: bool = False,
        max_unacked_bytes: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        """Prepare; `start` connects. The Will is retained. Above `max_unacked_bytes` no more is read.

        Raises:
            SettingsError: where the password or a certificate can't be read.
        """
        settings.password()
        settings.tls_context()
        self._settings = settings
        self._client_id = client_id
        self._topic_filters = list(topic_filters)
        self._on_message, self._on_link = on_message, on_link
        self._will, self._receive_maximum, self._clock = will, receive_maximum, clock
        self._clean_start = clean_start
        rng = rng or random.Random()
        self._backoff = Backoff(base_s=settings.connect_backoff_s, cap_s=settings.connect_backoff_cap_s, rng=rng)
        self._refused_backoff = Backoff(
            base_s=2 * settings.refused_backoff_s,
            cap_s=10 * settings.refused_backoff_s,
            floor_s=settings.refused_backoff_s,
            rng=rng,
        )
        self._window = ByteWindow(max_unacked_bytes)
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._supervise, name=f"mqtt-{client_id}", daemon=True)
        self._link: Link | None = None
        self._welcome: Welcome | None = None
        self._connected = False
        self._goodbye_by_s = 0.0
        self._last_turn_s = clock()
        self._resumed = False
        # In the order of their handing over. A key counts up, for paho's packet identifiers come round again.
        self._untaken: dict[int, _Publish] = {}
        self._keys = itertools.count()
        self._key_of_mid: dict[int, int] = {}

    @property
    def connected(self) -> bool:
        """Tell whether we are logged in and subscribed."""
        return self._connected

    @property
    def max_packet_bytes(self) -> int | None:
        """Return what CONNACK announced last; None before, or where the broker sets no limit."""
        return self._welcome.max_packet_bytes if self._welcome else None

    @property
    def unacked_bytes(self) -> int:
        """Return how many bytes of messages are received and not yet acked."""
        return self._window.held_bytes

    @property
    def untaken(self) -> int:
        """Return how many publishes the broker has not yet acknowledged."""
        return len(self._untaken)

    def is_alive(self) -> bool:
        """Tell whether the thread lives and came round lately; while it does, keepalive watches the broker's side."""
        quiet_s = self._clock() - self._last_turn_s
        return self._thread.is_alive() and quiet_s < 2 * (self._settings.keepalive_s + self._settings.connect_timeout_s)

    def start(self) -> None:
        self._thread.start()

    def stop(self, deadline_s: float) -> None:
        """Give the broker until the deadline to take what is out, then disconnect; never blocks longer than that."""
        self._goodbye_by_s = self._clock() + deadline_s
        self._stopping.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(deadline_s + 2 * _TURN_S)

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
        """Hand over at QoS 1. `on_taken` comes when the broker has it; a lost link in between is made good.

        Raises:
            TransientError: not connected.
            PermanentError: `too-large` for this broker, `bad-attributes` that MQTT can't carry.
        """
        entry = _Publish(
            mqtt_topic=mqtt_topic,
            body=envelope.body,
            properties=publish_properties(envelope.attributes, expiry_s=expiry_s),
            packet_bytes=packet_bytes(mqtt_topic, envelope),
            retain=retain,
            on_taken=on_taken,
            on_refused=on_refused,
        )
        with self._lock:
            if self._link is None or not self._connected or self._stopping.is_set():
                raise TransientError("not connected to the broker")
            if self._too_large(entry):
                limit = self.max_packet_bytes
                detail = f"{entry.packet_bytes} bytes for {mqtt_topic}, the broker takes {limit}"
                raise PermanentError(Reason.TOO_LARGE, detail)
            self._hand_over(self._link, next(self._keys), entry)

    def _hand_over(self, link: Link, key: int, entry: _Publish) -> None:
        """Under the lock, so that the PUBACK, dealt with under the lock too, finds its entry."""
        mid = link.publish(entry.mqtt_topic, entry.body, entry.properties, retain=entry.retain)
        self._untaken[key] = entry
        self._key_of_mid[mid] = key

    def _too_large(self, entry: _Publish) -> bool:
        return self.max_packet_bytes is not None and entry.packet_bytes > self.max_packet_bytes

    def _supervise(self) -> None:
        end = LinkStatus(state=LinkState.STOPPED)
        contests = 0
        while not self._stopping.is_set():
            began_s = self._clock()
            self._resumed = False
            end = self._serve_one_link()
            stable = self._clock() - began_s >= self._settings.stable_after_s
            contests = contests + 1 if self._resumed and end.state is LinkState.LOST and not stable else 0
            if 0 < self._settings.contested_links <= contests:
                end = LinkStatus(state=LinkState.TAKEN_OVER, detail=_CONTESTED.format(self._client_id, contests))
            if self._stopping.is_set() or end.fatal:
                break
            if stable:
                self._backoff.reset()
                self._refused_backoff.reset()
            backoff = self._refused_backoff if end.state is LinkState.REFUSED else self._backoff
            delay_s = backoff.next_delay_s()
            self._report(LinkStatus(state=end.state, detail=end.detail, retry_in_s=delay_s))
            self._pause(delay_s)
        stopped = self._stopping.is_set()
        self._report(LinkStatus(state=LinkState.STOPPED) if stopped else end)

    def _serve_one_link(self) -> LinkStatus:
        link = None
        try:
            link = Link(
                self._settings,
                client_id=self._client_id,
                will=self._will,
                receive_maximum=self._receive_maximum,
                clean_start=self._clean_start,
                window=self._window,
            )
            link.open()
            self._last_turn_s = self._clock()
            return self._turn_until_end(link)
        except OSError as error:
            return LinkStatus(state=LinkState.LOST, detail=f"{type(error).__name__}: {error}")
        except Exception as error:  # noqa: BLE001 (outermost edge: whatever paho does, the session must live)
            _log.exception("mqtt_link_failed", client_id=self._client_id)
            return LinkStatus(state=LinkState.LOST, detail=f"{type(error).__name__}: {error}")
        finally:
            with self._lock:
                self._link, self._connected = None, False
            if link is not None:
                link.close()

    def _turn_until_end(self, link: Link) -> LinkStatus:
        handshake_by_s = self._clock() + self._settings.connect_timeout_s
        leaving = False
        while True:
            for event in link.turn(_TURN_S):
                if isinstance(event, LinkStatus):
                    return event
                self._handle(link, event)
            self._last_turn_s = now_s = self._clock()
            if not self._connected and now_s > handshake_by_s:
                return LinkStatus(state=LinkState.LOST, detail="no CONNACK or SUBACK in time")
            if self._stopping.is_set():
                if leaving and now_s > self._goodbye_by_s:
                    return LinkStatus(state=LinkState.STOPPED)
                if not leaving and (not self._untaken or not self._connected or now_s > self._goodbye_by_s):
                    leaving = True
                    link.disconnect()

    def _handle(self, link: Link, event: LinkEvent) -> None:
        match event:
            case Welcome():
                self._greet(link, event)
            case Subscribed(refused=""):
                self._become_connected(link)
            case Subscribed():
                _log.error("mqtt_subscribe_refused", reasons=event.refused, topic_filters=self._topic_filters)
                self._become_connected(link)
            case Taken():
                self._settle(event)
            case IncomingMessage():
                _quietly(self._on_message, event)

    def _greet(self, link: Link, welcome: Welcome) -> None:
        self._welcome = welcome
        # Even where the broker kept our session: Mosquitto 2.0.11, started again from its database, keeps a session and
        # forgets its shared subscriptions, and then acknowledges and drops what it should deliver.
        if self._topic_filters:
            link.subscribe(self._topic_filters)
        else:
            self._become_connected(link)

    def _become_connected(self, link: Link) -> None:
        assert self._welcome is not None
        with self._lock:
            again, self._untaken, self._key_of_mid = self._untaken, {}, {}
            refused = [entry for entry in again.values() if self._too_large(entry)]
            for key, entry in again.items():
                if not self._too_large(entry):
                    self._hand_over(link, key, entry)
            self._link, self._connected = link, True
            self._resumed = self._welcome.session_present
        for entry in refused:
            self._refuse(entry, "larger than what the broker takes now")
        self._report(LinkStatus(state=LinkState.CONNECTED, session_present=self._welcome.session_present))

    def _settle(self, taken: Taken) -> None:
        with self._lock:
            key = self._key_of_mid.pop(taken.mid, None)
            entry = self._untaken.pop(key, None) if key is not None else None
        if entry is None:
            return
        if taken.refused:
            self._refuse(entry, taken.refused)
        elif entry.on_taken is not None:
            on_taken = entry.on_taken
            _quietly(lambda _: on_taken(), taken)

    def _refuse(self, entry: _Publish, detail: str) -> None:
        _log.error("mqtt_publish_refused", mqtt_topic=entry.mqtt_topic, detail=detail)
        if entry.on_refused is not None:
            _quietly(entry.on_refused, detail)

    def _report(self, status: LinkStatus) -> None:
        _log.info("mqtt_link", client_id=self._client_id, state=status.state, detail=status.detail)
        _quietly(self._on_link, status)

    def _pause(self, delay_s: float) -> None:
        until_s = self._clock() + delay_s
        while self._clock() < until_s and not self._stopping.wait(min(_TURN_S, until_s - self._clock())):
            self._last_turn_s = self._clock()


def _quietly(callback: Callable[[_T], object], argument: _T) -> None:
    try:
        callback(argument)
    except Exception:  # noqa: BLE001 (a caller's bug must not end the thread that everything else hangs on)
        _log.exception("mqtt_callback_failed", callback=getattr(callback, "__qualname__", str(callback)))
