"""Who gets in, proven by what is delivered: a denied SUBSCRIBE is answered with "granted" and tells nothing."""

import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import pytest

from digiscope_cloud.audit_log import chain
from digiscope_cloud.audit_log.file_audit_log import raw_lines
from digiscope_cloud.bridge.settings import BridgeSettings
from digiscope_cloud.identity import certificates
from digiscope_cloud.identity.certificates import Role
from digiscope_cloud.identity.mosquitto_gate import take_over
from digiscope_shared.codec import Envelope
from digiscope_shared.mqtt.link_status import LinkState, LinkStatus
from digiscope_shared.mqtt.packets import IncomingMessage
from digiscope_shared.mqtt.session import MqttSession
from digiscope_shared.mqtt.settings import MqttSettings
from digiscope_shared.mqtt_topics import Channel, DeviceTopic, topic_filters_of_bridge, topic_filters_of_device
from tests.support.fleet_broker import FleetBroker
from tests.support.waiting import wait_until

EVERYTHING = ["#", "+/#", "$SYS/#", "$share/thieves/#", "digiscope/v1/devices/+/+"]


class Client:
    """A session that remembers what it received."""

    def __init__(
        self, settings: MqttSettings, client_id: str, topic_filters: Sequence[str] = (), *, will: str = ""
    ) -> None:
        self.received: list[tuple[str, bytes]] = []
        self.states: list[LinkState] = []
        self.details: set[str] = set()
        self.session = MqttSession(
            settings,
            client_id=client_id,
            topic_filters=topic_filters,
            on_message=self._take,
            on_link=self._note,
            will=(will, Envelope(attributes={"schema": "test/1"}, body=b"forged will")) if will else None,
        )

    def _note(self, status: LinkStatus) -> None:
        self.states.append(status.state)
        self.details.add(status.detail)

    def _take(self, message: IncomingMessage) -> None:
        self.received.append((message.mqtt_topic, message.envelope.body))
        message.ack()

    def __enter__(self) -> Self:
        self.session.start()
        wait_until(lambda: self.session.connected, what="connected")
        return self

    def __exit__(self, *_: object) -> None:
        self.session.stop(1.0)

    def send(self, mqtt_topic: str, body: bytes, *, retain: bool = False) -> None:
        self.session.publish(mqtt_topic, Envelope(attributes={"schema": "test/1"}, body=body), retain=retain)

    def sent(self) -> None:
        wait_until(lambda: self.session.untaken == 0, what="taken or refused")


def topic(device_id: str, channel: Channel = Channel.TELEMETRY, tail: str = "") -> str:
    return str(DeviceTopic(device_id=device_id, channel=channel, tail=tail))


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FleetBroker]:
    with FleetBroker(tmp_path_factory.mktemp("access")) as server:
        yield server


@pytest.fixture
def bridge(broker: FleetBroker) -> Iterator[Client]:
    mqtt = broker.settings("bridge")
    share_name = BridgeSettings(project="p", bucket="b", mqtt=mqtt).shared_as
    with Client(mqtt, "bridge-0", topic_filters_of_bridge(share_name)) as client:
        yield client


@pytest.fixture(scope="module")
def honest(broker: FleetBroker) -> Iterator[Client]:
    """A device of the fleet: what it sends last arrives after everything that came before."""
    with Client(broker.enroll("honest"), "honest", topic_filters_of_device("honest")) as client:
        yield client


def nothing_arrived_before(honest: Client, bridge: Client, marker: str) -> None:
    honest.send(topic("honest"), marker.encode())
    wait_until(lambda: (topic("honest"), marker.encode()) in bridge.received, what="the honest device's message")
    assert {name for name, _ in bridge.received} == {topic("honest")}


def without_certificate(broker: FleetBroker) -> MqttSettings:
    return replace(broker.forge("intruder"), cert_file="", key_file="")


def expired(broker: FleetBroker) -> MqttSettings:
    return broker.forge("intruder", age=timedelta(days=2))


def not_yet_valid(broker: FleetBroker) -> MqttSettings:
    return broker.forge("intruder", age=timedelta(days=-2))


def of_a_foreign_fleet(broker: FleetBroker) -> MqttSettings:
    # The same name as ours: only the key differs.
    return broker.forge("intruder", authority=certificates.new_authority("north", datetime.now(UTC)))


def of_the_brokers_kind(broker: FleetBroker) -> MqttSettings:
    return broker.forge("bridge", role=Role.BROKER)


def revoked(broker: FleetBroker) -> MqttSettings:
    settings = broker.enroll("intruder")
    result = broker.fleet("revoke", "intruder")
    assert result.exit_code == 0, result.output
    return settings


REASONS = {
    without_certificate: "certificate required",
    expired: "certificate expired",
    revoked: "certificate revoked",
}
INTRUDERS = [without_certificate, expired, not_yet_valid, of_a_foreign_fleet, of_the_brokers_kind, revoked]


@pytest.mark.parametrize("make", INTRUDERS, ids=lambda make: make.__name__.replace("_", "-"))
def test_without_a_certificate_that_holds_nothing_gets_in_or_out(
    broker: FleetBroker, bridge: Client, honest: Client, make: Callable[[FleetBroker], MqttSettings]
) -> None:
    settings = make(broker)
    intruder = Client(settings, "intruder", [*topic_filters_of_device("intruder"), *EVERYTHING])
    intruder.session.start()
    # What doesn't wait for CONNACK must not slip through either.
    answer = push_blindly(settings, topic("intruder"))
    wait_until(lambda: len(intruder.states) >= 2, what="two attempts")
    intruder.session.stop(1.0)
    assert answer == b""
    # What a technician reads there.
    if make in REASONS:
        assert f"the broker refuses our certificate: {REASONS[make]}" in intruder.details
    assert set(intruder.states) <= {LinkState.LOST, LinkState.REFUSED, LinkState.STOPPED}
    assert intruder.received == []
    nothing_arrived_before(honest, bridge, make.__name__)


def push_blindly(settings: MqttSettings, mqtt_topic: str) -> bytes:
    """Send CONNECT, SUBSCRIBE to all and PUBLISH at once, and return whatever comes back."""
    context = settings.tls_context()
    assert context is not None
    connect = bytes.fromhex("10 15 0004 4d515454 05 02 003c 00 0008 696e747275646572")
    subscribe = bytes.fromhex("82 07 0001 00 0001 23 01")
    publish = bytes([0x30, len(mqtt_topic) + 3 + 6, 0, len(mqtt_topic)]) + mqtt_topic.encode() + b"\0forged"
    try:
        with socket.create_connection(("127.0.0.1", settings.port), timeout=5) as plain:
            connection = context.wrap_socket(plain, server_hostname="127.0.0.1")
            connection.sendall(connect + subscribe + publish)
            return connection.recv(1000)
    except OSError:
        return b""


def test_the_blind_push_is_well_formed(broker: FleetBroker, bridge: Client) -> None:
    settings = broker.enroll("blind")
    assert push_blindly(settings, topic("blind"))[:1] == b"\x20"
    wait_until(lambda: (topic("blind"), b"forged") in bridge.received, what="the control that shows that it can work")


def test_a_device_writes_below_its_own_topics_only(broker: FleetBroker, bridge: Client, honest: Client) -> None:
    honest.received.clear()
    with Client(broker.enroll("curious"), "curious") as curious:
        for channel in Channel:
            tail = "x" if channel in (Channel.MODEL, Channel.COMMANDS) else ""
            curious.send(topic("honest", channel, tail), b"forged", retain=True)
        # Its own downlink is not its to write either, nor are the broker's own numbers and control topics.
        for name in (topic("curious", Channel.CONFIG), "$SYS/broker/version", "$CONTROL/dynamic-security/v1", "other"):
            curious.send(name, b"forged", retain=True)
        curious.sent()
    with Client(broker.settings("bridge"), "bridge-9", ["digiscope/v1/devices/#", "#"]) as late:
        honest.send(topic("honest"), b"after the forgeries")
        wait_until(lambda: (topic("honest"), b"after the forgeries") in late.received, what="the marker")
        assert b"forged" not in {body for _, body in late.received}
    bridge.send(topic("honest", Channel.RESULTS), b"real")
    wait_until(lambda: honest.received, what="the real result")
    assert honest.received == [(topic("honest", Channel.RESULTS), b"real")]
    assert b"forged" not in {body for _, body in bridge.received}


def test_a_device_reads_its_own_downlink_only(broker: FleetBroker, bridge: Client, honest: Client) -> None:
    bridge.send(topic("honest", Channel.CONFIG), b"retained for honest", retain=True)
    filters = [*topic_filters_of_device("reader"), *topic_filters_of_device("honest"), *EVERYTHING]
    with Client(broker.enroll("reader"), "reader", filters) as reader:
        for channel in (Channel.RESULTS, Channel.RECEIPTS, Channel.CONFIG):
            bridge.send(topic("honest", channel), b"for honest", retain=channel is Channel.CONFIG)
        honest.send(topic("honest", Channel.STATE), b"state of honest", retain=True)
        bridge.send(topic("reader", Channel.RESULTS), b"for reader")
        bridge.sent()
        honest.sent()
        bridge.send(topic("reader", Channel.RECEIPTS), b"last")
        wait_until(lambda: (topic("reader", Channel.RECEIPTS), b"last") in reader.received, what="the last of its own")
        assert {name for name, _ in reader.received} == {
            topic("reader", Channel.RESULTS),
            topic("reader", Channel.RECEIPTS),
        }


def test_nobody_joins_the_bridges_shared_subscription(broker: FleetBroker, bridge: Client, honest: Client) -> None:
    """A stranger in the group gets nothing, but what is dealt to it is gone for the bridge: its name is a secret."""
    filters = [name for share in ("bridge", "digiscope") for name in topic_filters_of_bridge(share)]
    with Client(broker.enroll("joiner"), "joiner", filters) as joiner:
        for number in range(40):
            honest.send(topic("honest"), b"dealt %d" % number)
        honest.sent()
        honest.send(topic("honest", Channel.STATE), b"after the deal")
        wait_until(lambda: (topic("honest", Channel.STATE), b"after the deal") in bridge.received, what="the marker")
        wait_until(
            lambda: {b"dealt %d" % number for number in range(40)} <= {body for _, body in bridge.received},
            what="all of them at the bridge",
        )
        assert joiner.received == []


def test_the_fleets_login_may_take_over_and_nothing_else(broker: FleetBroker, bridge: Client, honest: Client) -> None:
    with Client(broker.settings("fleet"), "fleet-1", [*topic_filters_of_device("fleet"), *EVERYTHING]) as fleet:
        for name in (topic("fleet"), topic("honest"), topic("fleet", Channel.STATE)):
            fleet.send(name, b"from the fleet's login")
        fleet.sent()
        bridge.send(topic("fleet", Channel.RESULTS), b"to the fleet's login")
        bridge.sent()
        honest.send(topic("honest"), b"after the fleet's login")
        wait_until(lambda: (topic("honest"), b"after the fleet's login") in bridge.received, what="the marker")
        assert b"from the fleet's login" not in {body for _, body in bridge.received}
        assert fleet.received == []


def test_a_will_speaks_for_its_own_device_only(broker: FleetBroker, bridge: Client, honest: Client) -> None:
    settings = broker.enroll("dying")
    forger = Client(settings, "dying", will=topic("honest", Channel.STATE))
    forger.session.start()
    wait_until(lambda: forger.states, what="an answer")
    # Taken over, its connection ends without a goodbye: its Will is due.
    take_over(broker.settings("fleet"), "dying")
    forger.session.stop(1.0)
    with Client(settings, "dying", will=topic("dying", Channel.STATE)):
        take_over(broker.settings("fleet"), "dying")
        wait_until(lambda: (topic("dying", Channel.STATE), b"forged will") in bridge.received, what="an own Will")
    honest.send(topic("honest"), b"after the wills")
    wait_until(lambda: (topic("honest"), b"after the wills") in bridge.received, what="the marker")
    assert (topic("honest", Channel.STATE), b"forged will") not in bridge.received


def test_a_client_id_takes_no_others_session(broker: FleetBroker, bridge: Client, honest: Client) -> None:
    honest.received.clear()
    links = len(honest.states)
    with Client(broker.enroll("mimic"), "honest", topic_filters_of_device("honest")) as mimic:
        bridge.send(topic("honest", Channel.RESULTS), b"for honest alone")
        wait_until(lambda: honest.received, what="the result, at its owner")
        assert mimic.received == []
    assert len(honest.states) == links


def test_a_revoked_device_is_cut_off_while_connected(broker: FleetBroker, bridge: Client, honest: Client) -> None:
    links = len(honest.states)
    settings = broker.enroll("stolen")
    with Client(settings, "stolen", topic_filters_of_device("stolen")) as stolen:
        stolen.send(topic("stolen"), b"before")
        wait_until(lambda: (topic("stolen"), b"before") in bridge.received, what="that it works before")
        bridge.received.clear()

        result = broker.fleet("revoke", "stolen")
        assert result.exit_code == 0, result.output
        wait_until(lambda: not stolen.session.connected, what="cut off")
        bridge.send(topic("stolen", Channel.RESULTS), b"secret")
        bridge.sent()

    # With its session gone, nothing waits for it, and it can't come back for anything.
    again = Client(settings, "stolen", topic_filters_of_device("stolen"))
    again.session.start()
    wait_until(lambda: len(again.states) >= 2, what="two attempts")
    again.session.stop(1.0)
    assert LinkState.CONNECTED not in again.states
    assert stolen.received == again.received == []
    nothing_arrived_before(honest, bridge, "after the revocation")
    # Nobody else noticed.
    assert len(honest.states) == links


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_resumed_tls_session_brings_no_revoked_device_back(broker: FleetBroker, version: ssl.TLSVersion) -> None:
    name = f"resumer-{version.name.lower().replace('v1_', '1')}"
    context = broker.enroll(name).tls_context()
    assert context is not None
    context.maximum_version = version

    def dial(session: ssl.SSLSession | None) -> tuple[bytes, bool, ssl.SSLSession | None]:
        with socket.create_connection(("127.0.0.1", broker.ports.tls), timeout=5) as plain:
            connection = context.wrap_socket(plain, server_hostname="127.0.0.1", session=session)
            connection.sendall(bytes.fromhex("10 10 0004 4d515454 05 02 003c 00 0003 616263"))
            return connection.recv(100), bool(connection.session_reused), connection.session

    answer, _, session = dial(None)
    assert answer[:1] == b"\x20"
    assert broker.fleet("revoke", name).exit_code == 0
    try:
        answer, reused, _ = dial(session)
    except OSError:
        return
    assert (answer, reused) == (b"", False)


def test_a_rotation_overlaps_and_ends(broker: FleetBroker, bridge: Client) -> None:
    old = broker.enroll("clinic-07")
    new = broker.enroll("clinic-07", command="rotate")
    for number, settings in enumerate((old, new)):
        with Client(settings, "clinic-07") as client:
            client.send(topic("clinic-07"), b"%d" % number)
            wait_until(lambda: (topic("clinic-07"), b"%d" % number) in bridge.received, what="both hold")  # noqa: B023
    assert broker.fleet("revoke", "clinic-07", "--superseded").exit_code == 0
    with Client(new, "clinic-07") as client:
        client.send(topic("clinic-07"), b"new")
        wait_until(lambda: (topic("clinic-07"), b"new") in bridge.received, what="the new one holds on")
    refused = Client(old, "clinic-07")
    refused.session.start()
    wait_until(lambda: len(refused.states) >= 2, what="two attempts")
    refused.session.stop(1.0)
    assert LinkState.CONNECTED not in refused.states


def test_tls_is_1_3_where_the_client_can_and_never_below_1_2(broker: FleetBroker) -> None:
    context = broker.enroll("versions").tls_context()
    assert context is not None
    with socket.create_connection(("127.0.0.1", broker.ports.tls), timeout=5) as plain:
        assert context.wrap_socket(plain, server_hostname="127.0.0.1").version() == "TLSv1.3"
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", broker.ports.tls), timeout=5) as plain, pytest.raises(OSError):  # noqa: PT011
        context.wrap_socket(plain, server_hostname="127.0.0.1")


def test_a_device_can_be_no_broker(broker: FleetBroker) -> None:
    """A device's certificate, shown by a server, is refused by devices."""
    settings = broker.forge("127.0.0.1")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(settings.cert_file, settings.key_file)
    device = settings.tls_context()
    assert device is not None
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    answering = server.wrap_bio(incoming, outgoing, server_side=True)
    back, forth = ssl.MemoryBIO(), ssl.MemoryBIO()
    dialling = device.wrap_bio(back, forth, server_hostname="127.0.0.1")
    with pytest.raises(ssl.SSLWantReadError):
        dialling.do_handshake()
    incoming.write(forth.read())
    with pytest.raises(ssl.SSLWantReadError):
        answering.do_handshake()
    back.write(outgoing.read())
    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        dialling.do_handshake()


def test_the_fleets_list_and_log_tell_the_same(broker: FleetBroker, honest: Client) -> None:
    assert broker.fleet("list", "--json").exit_code == 0
    assert "honest" in broker.fleet("list").output
    audit_log = Path(broker.fleet_dir / "audit.jsonl")
    found, _ = chain.verify(raw_lines(audit_log))
    assert not found
    acts = [(line.act, line.subject) for line in map(chain.read_line, raw_lines(audit_log))]
    assert ("enrolled", "honest") in acts
