"""The servers of the local system: the shipped broker configuration as Mosquitto takes it, restarts, and their ends."""

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import psutil
import pytest

from digiscope_cloud.adapters.gcs_object_store import GcsObjectStore
from digiscope_cloud.drill.tcp_proxy import TcpProxy
from digiscope_cloud.fleet.provisioning import provision
from digiscope_cloud.local.server_process import ServerNotReadyError
from digiscope_cloud.local.servers import Mosquitto, PubsubEmulator, StorageEmulator
from digiscope_cloud.settings import CloudSettings
from digiscope_shared.codec import Envelope
from digiscope_shared.mqtt.link_status import LinkState
from digiscope_shared.mqtt.packets import IncomingMessage
from digiscope_shared.mqtt.session import MqttSession
from digiscope_shared.mqtt.settings import MqttSettings
from digiscope_shared.mqtt_topics import topic_filters_of_bridge, topic_filters_of_device
from tests.support.running import still_running
from tests.support.waiting import wait_until


class Client:
    """A session that remembers what it received."""

    def __init__(self, settings: MqttSettings, client_id: str, topic_filters: list[str]) -> None:
        self.received: list[tuple[str, bytes]] = []
        self.states: list[LinkState] = []
        self.session = MqttSession(
            settings,
            client_id=client_id,
            topic_filters=topic_filters,
            on_message=self._take,
            on_link=lambda status: self.states.append(status.state),
        )

    def _take(self, message: IncomingMessage) -> None:
        self.received.append((message.mqtt_topic, message.envelope.body))
        message.ack()

    def __enter__(self) -> Self:
        self.session.start()
        wait_until(lambda: self.session.connected, what="connected")
        return self

    def __exit__(self, *_: object) -> None:
        self.session.stop(1.0)

    def publish(self, mqtt_topic: str, body: bytes) -> None:
        self.session.publish(mqtt_topic, Envelope(attributes={"schema": "test/1"}, body=body))


def device(settings: MqttSettings, device_id: str, *more: str) -> Client:
    return Client(settings, device_id, [*topic_filters_of_device(device_id), *more])


BRIDGE_FILTERS = [
    *topic_filters_of_bridge(),
    "$SYS/broker/publish/messages/dropped",
    "$SYS/broker/clients/connected",
]


@pytest.fixture
def bridge(mosquitto: Mosquitto) -> Iterator[Client]:
    with Client(mosquitto.settings("bridge"), "bridge-test", BRIDGE_FILTERS) as client:
        yield client


@pytest.mark.parametrize("tls", [False, True], ids=["password", "certificate"])
def test_a_device_reaches_the_bridge_and_the_bridge_the_device(
    mosquitto: Mosquitto, bridge: Client, *, tls: bool
) -> None:
    name = f"clinic-{'tls' if tls else 'plain'}"
    with device(mosquitto.settings(name, tls=tls), name) as client:
        client.publish(f"digiscope/v1/devices/{name}/telemetry", b"up")
        wait_until(lambda: (f"digiscope/v1/devices/{name}/telemetry", b"up") in bridge.received, what="uplink")
        bridge.publish(f"digiscope/v1/devices/{name}/commands/capture", b"down")
        wait_until(lambda: client.received == [(f"digiscope/v1/devices/{name}/commands/capture", b"down")], what="down")


def test_a_device_can_neither_write_nor_read_for_another(mosquitto: Mosquitto, bridge: Client) -> None:
    with (
        device(mosquitto.settings("thief", tls=True), "thief", *topic_filters_of_device("victim"), "#") as thief,
        device(mosquitto.settings("victim", tls=True), "victim") as victim,
    ):
        thief.publish("digiscope/v1/devices/victim/telemetry", b"forged")
        thief.publish("digiscope/v1/devices/victim/results", b"forged")
        thief.publish("digiscope/v1/devices/thief/telemetry", b"own")
        bridge.publish("digiscope/v1/devices/victim/results", b"for the victim")
        wait_until(lambda: victim.received, what="the victim's result")
        wait_until(lambda: bridge.received, what="the thief's own telemetry")
        bridge.publish("digiscope/v1/devices/thief/results", b"for the thief")
        wait_until(lambda: thief.received, what="the thief's result, sent last")
        assert victim.received == [("digiscope/v1/devices/victim/results", b"for the victim")]
        # A tester's own filter `#` overlaps with its results: what counts is that nothing else came.
        assert set(thief.received) == {("digiscope/v1/devices/thief/results", b"for the thief")}
    uplink = [received for received in bridge.received if received[0].startswith("digiscope/")]
    assert uplink == [("digiscope/v1/devices/thief/telemetry", b"own")]


def test_the_bridge_sees_dropped_messages_and_nothing_else_of_sys(run_dir: Path) -> None:
    """On a broker of its own: Mosquitto publishes a $SYS number when it changes, and lets it expire after a minute."""
    with (
        Mosquitto(run_dir) as broker,
        Client(broker.settings("bridge"), "bridge-test", BRIDGE_FILTERS) as bridge,
    ):

        def sys_topics() -> set[str]:
            return {mqtt_topic for mqtt_topic, _ in bridge.received if mqtt_topic.startswith("$SYS")}

        wait_until(sys_topics, what="$SYS", timeout_s=30)
        assert sys_topics() == {"$SYS/broker/publish/messages/dropped"}


def test_a_packet_limit_is_announced_that_a_part_fits(bridge: Client) -> None:
    assert bridge.session.max_packet_bytes == 320 * 1024


@pytest.mark.parametrize("fault", ["wrong password", "nobody", "no certificate"])
def test_a_stranger_is_refused(mosquitto: Mosquitto, tmp_path: Path, fault: str) -> None:
    (tmp_path / "wrong").write_text("not-the-password")
    known, tls = mosquitto.settings("clinic-plain"), mosquitto.settings("clinic-tls", tls=True)
    settings = {
        "wrong password": MqttSettings(
            port=known.port, username="clinic-plain", password_file=str(tmp_path / "wrong"), connect_backoff_s=0.1
        ),
        "nobody": MqttSettings(port=known.port, connect_backoff_s=0.1),
        "no certificate": MqttSettings(port=tls.port, ca_file=tls.ca_file, connect_backoff_s=0.1),
    }[fault]
    client = Client(settings, "stranger", [])
    client.session.start()
    wait_until(lambda: client.states, what="an answer")
    client.session.stop(1.0)
    assert client.states[0] in {LinkState.REFUSED, LinkState.LOST}
    assert LinkState.CONNECTED not in client.states


def test_sessions_and_queues_survive_a_kill_after_the_autosave(run_dir: Path) -> None:
    with Mosquitto(run_dir) as broker:
        settings = broker.settings("clinic")
        with device(settings, "clinic"):
            pass
        with Client(broker.settings("bridge"), "bridge-1", []) as bridge:
            bridge.publish("digiscope/v1/devices/clinic/results", b"while you were away")
            wait_until(lambda: bridge.session.untaken == 0, what="taken")
        database = run_dir / "mosquitto-state" / "digiscope.db"
        broker.save_now()
        wait_until(lambda: database.exists() and b"while you were away" in database.read_bytes(), what="saved")
        broker.kill()
        assert broker.exit_code is not None
        broker.start()
        with device(settings, "clinic") as client:
            wait_until(lambda: client.received, what="what was queued")
        assert client.received == [("digiscope/v1/devices/clinic/results", b"while you were away")]


def test_secrets_are_for_their_owner_alone(run_dir: Path) -> None:
    broker = Mosquitto(run_dir, identities=["clinic"])
    broker.settings("clinic", tls=True)
    secret = [path for path in run_dir.rglob("*") if path.is_file()]
    assert len(secret) > 8
    assert [path for path in secret if stat.S_IMODE(path.stat().st_mode) != 0o600] == []


def test_objects_survive_a_kill_of_the_storage_emulator(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with PubsubEmulator(run_dir) as pubsub, StorageEmulator(run_dir) as storage:
        for name, value in (pubsub.environment | storage.environment).items():
            monkeypatch.setenv(name, value)
        settings = CloudSettings(project="digiscope-restart", bucket="digiscope-restart")
        provision(settings)
        store = GcsObjectStore(settings)
        created = store.create("a/b", b"pixels", content_type="text/plain", metadata={"device_id": "clinic"})
        storage.kill()
        storage.start()
        assert store.find("a/b") == created
        pubsub.kill()
        pubsub.start()
        assert {each.outcome for each in provision(settings) if each.kind == "topic"} == {"created"}


def test_what_was_started_is_gone_afterwards(run_dir: Path) -> None:
    with ExitStack() as stack:
        servers = [stack.enter_context(make(run_dir)) for make in (Mosquitto, PubsubEmulator, StorageEmulator)]
        families = [[psutil.Process(each.pid), *psutil.Process(each.pid).children(recursive=True)] for each in servers]
        assert {os.getpgid(each.pid) for each in servers} == {each.pid for each in servers}
    assert still_running(process for family in families for process in family) == []


def test_a_server_that_ends_at_once_says_why(run_dir: Path) -> None:
    broker = Mosquitto(run_dir)
    (run_dir / "mosquitto.conf").write_text("no_such_option true\n")
    with pytest.raises(ServerNotReadyError, match="no_such_option"):
        broker.start()


def test_the_proxy_cuts_refuses_stalls_and_goes_on(mosquitto: Mosquitto, bridge: Client) -> None:
    with TcpProxy(mosquitto.port) as proxy:
        settings = MqttSettings(
            port=proxy.port,
            username="clinic-plain",
            password_file=mosquitto.settings("clinic-plain").password_file,
            connect_backoff_s=0.1,
            connect_backoff_cap_s=0.2,
        )
        with device(settings, "clinic-plain") as client:
            proxy.refuse()
            wait_until(lambda: not client.session.connected, what="cut")
            seen = proxy.connections
            wait_until(lambda: proxy.connections > seen, what="refused")
            assert not client.session.connected
            proxy.accept()
            wait_until(lambda: client.session.connected, what="connected again")
            proxy.stall()
            client.publish("digiscope/v1/devices/clinic-plain/telemetry", b"stalled")
            assert client.session.untaken == 1
            proxy.flow()
            wait_until(lambda: client.session.untaken == 0, what="flowing")
            proxy.cut_after(10_000)
            client.publish("digiscope/v1/devices/clinic-plain/telemetry", bytes(20_000))
            wait_until(lambda: client.states.count(LinkState.LOST) == 2, what="cut in the middle")
            wait_until(lambda: client.session.untaken == 0, what="sent again")
    wait_until(lambda: sum(len(body) == 20_000 for _, body in bridge.received) >= 1, what="all of it")
