"""What PLATFORM's traps do to a session, on a real Mosquitto."""

import os
import resource
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from digiscope_shared.codec import Envelope
from digiscope_shared.errors import PermanentError, Reason, SettingsError, TransientError
from digiscope_shared.mqtt import IncomingMessage, LinkState, LinkStatus, MqttSession, MqttSettings
from tests.support.bare_mosquitto import BareMosquitto, free_port
from tests.support.waiting import wait_until

Mqtt = Callable[..., "Endpoint"]


class Endpoint:
    """A session and everything that it was told."""

    def __init__(self, settings: MqttSettings, client_id: str, *topic_filters: str, **options: Any) -> None:
        self.auto_ack = options.pop("auto_ack", True)
        self.messages: list[IncomingMessage] = []
        self.links: list[LinkStatus] = []
        self.on_message: Callable[[IncomingMessage], None] = lambda _: None
        self.session = MqttSession(
            settings,
            client_id=client_id,
            topic_filters=topic_filters,
            on_message=self._take,
            on_link=self.links.append,
            **options,
        )
        self.session.start()

    def up(self) -> "Endpoint":
        wait_until(lambda: self.session.connected, what="connected")
        return self

    def states(self) -> list[LinkState]:
        return [link.state for link in self.links]

    def bodies(self) -> list[bytes]:
        return [message.envelope.body for message in self.messages]

    def _take(self, message: IncomingMessage) -> None:
        self.messages.append(message)
        if self.auto_ack:
            message.ack()
        self.on_message(message)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BareMosquitto]:
    mosquitto = BareMosquitto(tmp_path, "max_packet_size 20000", "max_inflight_messages 7", "max_queued_messages 0")
    mosquitto.start()
    yield mosquitto
    mosquitto.kill()


@pytest.fixture
def mqtt(broker: BareMosquitto) -> Iterator[Mqtt]:
    endpoints: list[Endpoint] = []

    def make(client_id: str, *topic_filters: str, **options: Any) -> Endpoint:
        overrides = options.pop("settings", {})
        settings = MqttSettings(**({"port": broker.port, "connect_backoff_s": 0.05, "keepalive_s": 5} | overrides))
        endpoints.append(Endpoint(settings, client_id, *topic_filters, **options))
        return endpoints[-1]

    yield make
    for endpoint in endpoints:
        endpoint.session.stop(0.2)


def envelope(body: bytes = b"x", **attributes: str) -> Envelope:
    return Envelope(attributes=attributes, body=body)


def test_attributes_body_and_correlation_cross(mqtt: Mqtt) -> None:
    reader, writer = mqtt("reader", "a/#").up(), mqtt("writer").up()
    sent = envelope(b"\x00\xff", schema="s/1", site="Ärztehaus", correlation_data="c-1")
    writer.session.publish("a/b", sent)
    wait_until(lambda: reader.messages, what="the message")
    message = reader.messages[0]
    assert (message.mqtt_topic, message.envelope, message.fault) == ("a/b", sent, "")
    assert (message.retained, message.repeated) == (False, False)


def test_the_broker_took_it(mqtt: Mqtt) -> None:
    writer, taken = mqtt("writer").up(), threading.Event()
    writer.session.publish("a/b", envelope(), on_taken=taken.set)
    assert taken.wait(5)
    assert writer.session.untaken == 0


def test_a_process_with_many_descriptors_keeps_its_link(mqtt: Mqtt) -> None:
    # select() ends at 1,023: the drill's two hundred devices in one process never came back.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as held:
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        held.callback(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        for _ in range(1100):
            held.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        endpoint = mqtt("late", "a/#").up()
        endpoint.session.publish("a/b", envelope())
        wait_until(lambda: endpoint.messages, what="the message")


def test_too_large_is_refused_before_it_is_handed_over(mqtt: Mqtt) -> None:
    writer = mqtt("writer").up()
    assert writer.session.max_packet_bytes == 20_000
    with pytest.raises(PermanentError) as caught:
        writer.session.publish("a/b", envelope(bytes(20_000)))
    assert caught.value.reason is Reason.TOO_LARGE
    assert writer.session.connected


@pytest.mark.parametrize("value", ["\x00", "a\x1f", "\x85", "\ufeff", "\uffff", "\ud800", "\ufdd0", "x" * 65_536])
def test_what_mqtt_cannot_carry_is_refused(mqtt: Mqtt, value: str) -> None:
    writer = mqtt("writer").up()
    with pytest.raises(PermanentError) as caught:
        writer.session.publish("a/b", envelope(site=value))
    assert caught.value.reason is Reason.BAD_ATTRIBUTES


def test_messages_that_were_not_acked_come_again(mqtt: Mqtt) -> None:
    reader, writer = mqtt("reader", "a/#", auto_ack=False).up(), mqtt("writer").up()
    writer.session.publish("a/b", envelope(b"1"))
    wait_until(lambda: reader.messages, what="the message")
    reader.session.stop(0.5)
    again = mqtt("reader", "a/#").up()
    wait_until(lambda: again.messages, what="the message again")
    assert again.messages[0].repeated
    assert again.links[0].session_present


def test_no_more_is_read_than_the_byte_window_allows(mqtt: Mqtt) -> None:
    reader = mqtt("reader", "a/#", auto_ack=False, receive_maximum=3, max_unacked_bytes=50_000).up()
    writer = mqtt("writer").up()
    for number in range(100):
        writer.session.publish("a/b", envelope(b"%05d" % number + bytes(9_995)))
    largest_bytes = 0
    for count in range(100):
        wait_until(lambda count=count: len(reader.messages) > count, what=f"message {count}")  # type: ignore[misc]
        largest_bytes = max(largest_bytes, reader.session.unacked_bytes)
        reader.messages[count].ack()
    assert [int(body[:5]) for body in reader.bodies()] == list(range(100))
    assert 30_000 <= largest_bytes <= 65_000
    assert reader.session.unacked_bytes == 0


def test_a_full_window_does_not_cost_the_link(mqtt: Mqtt) -> None:
    keepalive_s = 1
    reader = mqtt("reader", "a/#", auto_ack=False, max_unacked_bytes=10, settings={"keepalive_s": keepalive_s}).up()
    writer = mqtt("writer").up()
    for _ in range(20):
        writer.session.publish("a/b", envelope(bytes(10_000)))
    wait_until(lambda: writer.session.untaken == 0 and reader.messages, what="the window is full")
    began_s = time.monotonic()
    wait_until(lambda: time.monotonic() - began_s > 4 * keepalive_s, what="several keepalives without reading")
    reader.on_message = lambda message: message.ack()
    reader.messages[0].ack()
    wait_until(lambda: len(reader.messages) == 20, what="all the rest")
    assert reader.states() == [LinkState.CONNECTED]


def test_a_broker_that_forgot_gets_subscriptions_and_untaken_messages_again(mqtt: Mqtt, broker: BareMosquitto) -> None:
    reader, writer = mqtt("reader", "a/#").up(), mqtt("writer").up()
    broker.kill()
    wait_until(lambda: not (reader.session.connected or writer.session.connected), what="both lost")
    with pytest.raises(TransientError):
        writer.session.publish("a/b", envelope())
    broker.start()
    reader.up()
    writer.up()
    assert reader.links[-1] == LinkStatus(state=LinkState.CONNECTED, session_present=False)
    writer.session.publish("a/b", envelope(b"after"))
    wait_until(lambda: reader.bodies() == [b"after"], what="the message")


def test_what_was_out_when_the_link_broke_is_sent_again(mqtt: Mqtt, broker: BareMosquitto) -> None:
    writer = mqtt("writer").up()
    taken: list[int] = []
    # More than the broker's Receive Maximum of 7: after the cut, too, only so many may be out at once.
    for number in range(50):
        writer.session.publish("a/b", envelope(bytes(10_000)), on_taken=lambda number=number: taken.append(number))  # type: ignore[misc]
    broker.kill()
    broker.start()
    wait_until(lambda: sorted(taken) == list(range(50)), what="all are taken")


def test_a_refused_login_is_no_connection_and_no_storm(tmp_path: Path) -> None:
    broker = BareMosquitto(tmp_path, anonymous=False)
    broker.start()
    endpoint = Endpoint(MqttSettings(port=broker.port, connect_backoff_s=0.01), "stranger")
    try:
        wait_until(lambda: endpoint.links, what="the refusal")
        assert endpoint.links[0].state is LinkState.REFUSED
        assert (endpoint.links[0].retry_in_s or 0) >= 60
        assert not endpoint.session.connected
        assert endpoint.session.is_alive()
    finally:
        endpoint.session.stop(1)
        broker.kill()
    assert endpoint.states() == [LinkState.REFUSED, LinkState.STOPPED]


def test_two_clients_with_the_same_id_do_not_fight_for_ever(mqtt: Mqtt) -> None:
    pair = [mqtt("same", settings={"connect_backoff_cap_s": 0.3}) for _ in range(2)]
    wait_until(lambda: any(endpoint.links and endpoint.links[-1].fatal for endpoint in pair), what="one has ended")
    loser, winner = sorted(pair, key=lambda endpoint: endpoint.session.is_alive())
    assert "another client with the id 'same'" in loser.links[-1].detail
    assert not loser.session.is_alive()
    winner.up()


def test_a_callback_that_raises_harms_nobody(mqtt: Mqtt) -> None:
    reader, writer = mqtt("reader", "a/#").up(), mqtt("writer").up()

    def fail(_: object) -> None:
        raise ValueError("a bug")

    reader.on_message = fail
    for _ in range(2):
        writer.session.publish("a/b", envelope(), on_taken=lambda: fail(None))
    wait_until(lambda: len(reader.messages) == 2, what="both messages")
    assert reader.session.is_alive()
    assert writer.session.is_alive()


def test_stop_with_unacked_messages_on_both_sides_keeps_its_deadline(mqtt: Mqtt, broker: BareMosquitto) -> None:
    reader, writer = mqtt("reader", "a/#", auto_ack=False).up(), mqtt("writer").up()
    for _ in range(100):
        writer.session.publish("a/b", envelope(bytes(10_000)))
    wait_until(lambda: reader.messages, what="a message")
    broker.kill()
    began_s = time.monotonic()
    for endpoint in (reader, writer):
        endpoint.session.stop(1)
    assert time.monotonic() - began_s < 5
    assert reader.states()[-1] is LinkState.STOPPED


def test_the_will_tells_of_a_death(mqtt: Mqtt) -> None:
    reader = mqtt("reader", "state").up()
    dying = mqtt("dying", will=("state", envelope(b"lost", schema="s/1"))).up()
    sock: Any = dying.session._link._client.socket()  # type: ignore[union-attr]
    sock.shutdown(socket.SHUT_RDWR)
    wait_until(lambda: reader.bodies() == [b"lost"], what="the Will")
    assert reader.messages[0].envelope.attributes == {"schema": "s/1"}


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("damage", ["\ufeff".encode(), b"\xff\xfe", b"\xed\xa0\x80", b"\x00", b"\x01"])
def test_damaged_attributes_of_a_hostile_client_do_not_stop_the_rest(
    mqtt: Mqtt, broker: BareMosquitto, damage: bytes, qos: int
) -> None:
    """Mosquitto ends the connection of all but U+FEFF, which it forwards."""
    reader, writer = mqtt("reader", "a/#").up(), mqtt("writer").up()
    publish_raw(broker.port, b"a/hostile", user_property=(b"site", damage), qos=qos)
    writer.session.publish("a/b", envelope(b"honest"))
    wait_until(lambda: b"honest" in reader.bodies(), what="the honest message")
    assert reader.states() == [LinkState.CONNECTED]
    hostile = [message for message in reader.messages if message.mqtt_topic == "a/hostile"]
    assert all(message.fault and message.envelope.body == b"payload" for message in hostile)
    assert len(hostile) == (1 if damage == "\ufeff".encode() else 0)


def test_a_password_file_that_is_not_there_is_a_settings_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere"):
        Endpoint(MqttSettings(port=free_port(), username="u", password_file=str(tmp_path / "nowhere")), "a")


def publish_raw(port: int, topic: bytes, user_property: tuple[bytes, bytes], qos: int) -> None:
    """Publish as no well-behaved library would."""

    def string(text: bytes) -> bytes:
        return struct.pack("!H", len(text)) + text

    def packet(kind: int, content: bytes) -> bytes:
        assert len(content) < 128
        return bytes([kind, len(content)]) + content

    properties = b"\x26" + string(user_property[0]) + string(user_property[1])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        sock.sendall(packet(0x10, string(b"MQTT") + b"\x05\x02\x00\x3c\x00" + string(b"hostile")))
        assert sock.recv(100)[0] == 0x20
        mid = b"\x00\x01" if qos else b""
        sock.sendall(packet(0x30 | qos << 1, string(topic) + mid + bytes([len(properties)]) + properties + b"payload"))
        # Answered when all before is dealt with; a broker that dislikes it closes instead.
        sock.sendall(packet(0xC0, b""))
        sock.recv(100)
