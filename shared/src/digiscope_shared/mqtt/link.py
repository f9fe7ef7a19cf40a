"""One connection to the broker, from CONNECT to its end; never used twice.

A paho client lives exactly as long as its link: nothing of a lost link can leak into the next, neither packet
identifiers nor a queue that paho would send without regard to the broker's Receive Maximum. paho's callbacks only note
what happened; it is acted on in `turn`, outside of paho's locks.
"""

import contextlib
import select
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from paho.mqtt import client as paho
from paho.mqtt.client import MQTTv5
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from digiscope_shared.codec import Envelope
from digiscope_shared.mqtt.byte_window import ByteWindow
from digiscope_shared.mqtt.link_status import LinkState, LinkStatus
from digiscope_shared.mqtt.packets import (
    IncomingMessage,
    incoming,
    new_properties,
    packet_bytes,
    will_properties,
)
from digiscope_shared.mqtt.settings import MqttSettings
from digiscope_shared.mqtt.tolerant_client import TolerantClient

# What Python needs around one message, beside its bytes: a flood of small ones must fill the window too.
_OBJECTS_BYTES: Final = 2048
_FAILURE: Final = 0x80
_SESSION_TAKEN_OVER: Final = 0x8E
# Server busy, server unavailable, quota, rate: they pass by themselves. Every other refusal needs a person.
_REFUSALS_THAT_PASS: Final = frozenset({0x88, 0x89, 0x97, 0x9F})


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """What CONNACK announced."""

    session_present: bool
    max_packet_bytes: int | None
    receive_maximum: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscribed:
    """SUBACK; `refused` where the broker granted less than all."""

    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """PUBACK; `refused` where the broker took it not."""

    mid: int
    refused: str = ""


LinkEvent = Welcome | Subscribed | Taken | IncomingMessage | LinkStatus


class Link:
    def __init__(
        self,
        settings: MqttSettings,
        *,
        client_id: str,
        will: tuple[str, Envelope] | None,
        receive_maximum: int | None,
        clean_start: bool = False,
        window: ByteWindow,
    ) -> None:
        self._settings = settings
        self._window = window
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self._receive_maximum = receive_maximum
        self._clean_start = clean_start
        self._events: deque[LinkEvent] = deque()
        self._ended = False
        self._client = TolerantClient(
            window, CallbackAPIVersion.VERSION2, client_id, protocol=MQTTv5, manual_ack=True, reconnect_on_failure=False
        )
        self._client.connect_timeout = settings.connect_timeout_s
        self._client.max_queued_messages_set(0)
        if settings.username:
            self._client.username_pw_set(settings.username, settings.password())
        if (context := settings.tls_context()) is not None:
            self._client.tls_set_context(context)
        if will is not None:
            mqtt_topic, envelope = will
            properties = will_properties(envelope.attributes)
            self._client.will_set(mqtt_topic, envelope.body, qos=1, retain=True, properties=properties)
        self._listen()

    def open(self) -> None:
        """Connect, log in and await what comes in `turn`; blocks up to the connect timeout. OSError where it fails."""
        properties = new_properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = self._settings.session_expiry_s
        if self._receive_maximum is not None:
            properties.ReceiveMaximum = self._receive_maximum
        self._client.connect(
            self._settings.host,
            self._settings.port,
            self._settings.keepalive_s,
            clean_start=self._clean_start,
            properties=properties,
        )

    def turn(self, timeout_s: float) -> list[LinkEvent]:
        """Move packets for up to `timeout_s` and return what happened, a LinkStatus last where the link ended."""
        rc = self._move_packets(timeout_s)
        if rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._end(LinkState.LOST, paho.error_string(rc))
        events = []
        while self._events:
            events.append(self._events.popleft())
        return events

    def subscribe(self, topic_filters: Sequence[str]) -> None:
        self._client.subscribe([(topic_filter, SubscribeOptions(qos=1)) for topic_filter in topic_filters])

    def publish(self, mqtt_topic: str, body: bytes, properties: Properties, *, retain: bool) -> int:
        """Hand over to paho and return the packet identifier that `Taken` will carry."""
        return self._client.publish(mqtt_topic, body, qos=1, retain=retain, properties=properties).mid

    def disconnect(self) -> None:
        """Say goodbye in order: the broker keeps the session and drops the Will. `turn` tells when it is done."""
        self._client.disconnect()

    def close(self) -> None:
        """Drop the socket and let go of paho."""
        self._ended = True
        sock: Any = self._client.socket()
        if sock is not None:
            sock.close()
        for name in ("on_connect", "on_disconnect", "on_message", "on_publish", "on_subscribe", "on_socket_open"):
            setattr(self._client, name, None)
        self._client.on_socket_register_write = None
        self._wake_reader.close()
        self._wake_writer.close()

    def _move_packets(self, timeout_s: float) -> MQTTErrorCode:
        client, sock = self._client, cast("socket.socket | None", self._client.socket())
        if sock is None:
            return MQTTErrorCode.MQTT_ERR_CONN_LOST
        full = self._window.full
        decrypted = not full and isinstance(sock, ssl.SSLSocket) and sock.pending() > 0
        wanted = (0 if full else select.POLLIN) | (select.POLLOUT if client.want_write() else 0)
        came = self._wait_for(sock, wanted, 0 if decrypted else timeout_s)
        if came is None:
            # Closed in between by another callback.
            return MQTTErrorCode.MQTT_ERR_CONN_LOST
        rc = client.loop_read() if decrypted or came & ~select.POLLOUT else MQTTErrorCode.MQTT_ERR_SUCCESS
        if rc == MQTTErrorCode.MQTT_ERR_SUCCESS and (came & select.POLLOUT or client.want_write()):
            rc = client.loop_write()
        if rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
            rc = client.keep_alive_unheard() if full else client.loop_misc()
        return rc

    def _wait_for(self, sock: socket.socket, wanted: int, timeout_s: float) -> int | None:
        """Return what came of `wanted` (poll's flags) until somebody woke us; None where the socket is closed."""
        # Not select(), which ends at descriptor 1,023.
        poll = select.poll()
        poll.register(self._wake_reader, select.POLLIN)
        descriptor = sock.fileno()
        if descriptor < 0:
            return None
        if wanted:
            poll.register(descriptor, wanted)
        came = dict(poll.poll(timeout_s * 1e3))
        if self._wake_reader.fileno() in came:
            self._wake_reader.recv(4096)
        return came.get(descriptor, 0)

    def _wake(self, *_: object) -> None:
        # A full pipe wakes as well as one more byte.
        with contextlib.suppress(BlockingIOError, OSError):
            self._wake_writer.send(b"w")

    def _listen(self) -> None:
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self._client.on_publish = self._on_publish
        self._client.on_subscribe = self._on_subscribe
        self._client.on_socket_open = self._on_socket_open
        # With a listener here paho writes on the loop's thread alone. Without it every publishing thread would write to
        # the socket itself, and two of them could interleave halves of packets.
        self._client.on_socket_register_write = self._wake

    def _end(self, state: LinkState, detail: str) -> None:
        if not self._ended:
            self._ended = True
            if state is LinkState.LOST and self._client.certificate_alert:
                # In TLS 1.3 the client counts itself connected before the broker has looked at its certificate.
                state, detail = (
                    LinkState.REFUSED,
                    f"the broker refuses our certificate: {self._client.certificate_alert}",
                )
            self._events.append(LinkStatus(state=state, detail=detail))

    def _on_socket_open(self, _client: paho.Client, _userdata: Any, sock: Any) -> None:
        # Nagle and delayed ACK together cost 40 ms a message; the broker's `set_tcp_nodelay` mends its side alone.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _on_connect(self, _client: paho.Client, _userdata: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            passes = reason.value in _REFUSALS_THAT_PASS
            self._end(LinkState.LOST if passes else LinkState.REFUSED, str(reason))
            return
        receive_maximum = getattr(properties, "ReceiveMaximum", 65_535)
        self._client.obey(receive_maximum)
        self._events.append(
            Welcome(
                session_present=flags.session_present,
                max_packet_bytes=getattr(properties, "MaximumPacketSize", None),
                receive_maximum=receive_maximum,
            )
        )

    def _on_disconnect(self, _client: paho.Client, _userdata: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        taken_over = reason.value == _SESSION_TAKEN_OVER
        self._end(LinkState.TAKEN_OVER if taken_over else LinkState.LOST, str(reason))

    def _on_subscribe(self, _client: paho.Client, _userdata: Any, _mid: int, reasons: Any, _properties: Any) -> None:
        refused = [str(reason) for reason in reasons if reason.value >= _FAILURE]
        self._events.append(Subscribed(refused=", ".join(refused)))

    def _on_publish(self, _client: paho.Client, _userdata: Any, mid: int, reason: Any, _properties: Any) -> None:
        self._events.append(Taken(mid=mid, refused=str(reason) if reason.value >= _FAILURE else ""))

    def _on_message(self, _client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:
        received = incoming(message)
        held_bytes = packet_bytes(received.mqtt_topic, received.envelope) + _OBJECTS_BYTES
        self._window.take(held_bytes)
        self._events.append(replace(received, ack=self._acknowledger(message.mid, message.qos, held_bytes)))

    def _acknowledger(self, mid: int, qos: int, held_bytes: int) -> Callable[[], None]:
        once = threading.Lock()

        def ack() -> None:
            if not once.acquire(blocking=False):
                return
            self._window.give_back(held_bytes)
            # On a later link the same number may belong to another message.
            if not self._ended:
                self._client.ack(mid, qos)
                self._wake()

        return ack
