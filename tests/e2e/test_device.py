"""The device as the cloud and its user see it: config, identity, commands from another terminal, canaries."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from digiscope_cloud.adapters.pubsub_publisher import PubsubPublisher
from digiscope_cloud.adapters.pubsub_subscriber import PubsubSubscriber
from digiscope_cloud.drill.tcp_proxy import TcpProxy
from digiscope_cloud.local.servers import Mosquitto
from digiscope_cloud.ports import Delivery
from digiscope_cloud.settings import CloudSettings
from digiscope_shared.codec import Envelope, encode_json
from digiscope_shared.messages import DesiredConfig, Triage
from digiscope_shared.pubsub_topics import PubsubTopic, Subscription
from tests.support.waiting import wait_until
from tests.support.whole_system import WholeSystem, draw_images, mqtt_yaml

CANARY = "erika-mustermann"


class DeviceEvents:
    """What the cloud hears of devices."""

    def __init__(self, cloud: CloudSettings) -> None:
        self.envelopes: list[Envelope] = []
        self._subscriber = PubsubSubscriber(cloud, threads=1)
        self._subscriber.start(Subscription.DEVICE_EVENTS_FLEET, self._take, max_messages=100, max_bytes=10_000_000)

    def _take(self, delivery: Delivery) -> None:
        self.envelopes.append(delivery.envelope)
        delivery.ack()

    def bodies(self, channel: str) -> list[dict[str, Any]]:
        return [json.loads(each.body) for each in list(self.envelopes) if each.attributes.get("channel") == channel]

    def close(self) -> None:
        self._subscriber.close()


@pytest.fixture
def device_events(cloud: CloudSettings) -> Iterator[DeviceEvents]:
    events = DeviceEvents(cloud)
    yield events
    events.close()


def desire(system: WholeSystem, desired: DesiredConfig) -> None:
    attributes = {"schema": desired.SCHEMA, "device_id": system.device_id, "channel": "config"}
    PubsubPublisher(system.cloud).publish(
        PubsubTopic.DEVICE_DIRECTIVES,
        Envelope(attributes=attributes, body=encode_json(desired)),
        ordering_key=system.device_id,
    )


def test_a_config_is_applied_and_reported_and_a_bad_one_refused_and_reported(
    system: WholeSystem, device_events: DeviceEvents
) -> None:
    system.start_bridge()
    system.start_agent()
    desire(system, DesiredConfig(version=1, config={"jpeg_quality": 80}))
    wait_until(
        lambda: any(state["config_version"] == 1 for state in device_events.bodies("state")),
        timeout_s=40,
        what="version 1 is reported",
    )
    desire(system, DesiredConfig(version=2, config={"jpeg_qualty": 70}))
    wait_until(lambda: refusals(device_events), timeout_s=40, what="the refusal is reported")
    state = refusals(device_events)[-1]
    assert state["config_version"] == 1
    assert state["config_refused"]["version"] == 2
    assert "unknown key 'jpeg_qualty'" in state["config_refused"]["detail"]
    assert system.status()["config_version"] == 1


def refusals(device_events: DeviceEvents) -> list[dict[str, Any]]:
    return [state for state in device_events.bodies("state") if state.get("config_refused")]


def test_readings_of_a_wearable_reach_the_cloud_numbered(system: WholeSystem, device_events: DeviceEvents) -> None:
    reading = ("--subject", "S-17", "--metric", "heart-rate", "--value", "72", "--unit", "/min")
    assert system.edge_command("telemetry", "send", *reading).returncode == 0
    system.start_bridge()
    system.start_agent()
    assert system.edge_command("telemetry", "send", *reading).returncode == 0
    wait_until(lambda: len(device_events.bodies("telemetry")) >= 2, timeout_s=40, what="both readings")
    assert {body["sequence"] for body in device_events.bodies("telemetry")} == {1, 2}
    wait_until(lambda: system.status()["readings_waiting"] == 0, what="the device keeps none")


def test_a_second_agent_with_the_same_device_id_ends_with_an_error(
    system: WholeSystem, broker: Mosquitto, link: TcpProxy
) -> None:
    first = system.start_agent()
    wait_until(lambda: connected(system), timeout_s=40, what="the first is connected")
    in_same_dir = system.edge_command("run")
    assert in_same_dir.returncode == 4
    assert "another agent already works in" in in_same_dir.stderr
    mqtt = broker.settings(system.device_id, port=link.port)
    elsewhere = system.edge_settings(mqtt, state_dir=system.folder / "elsewhere")
    second = system.start_agent(settings=system.write_settings("second", elsewhere))
    # This broker doesn't say that a session was taken over, so both notice by being thrown out in turn; one gives way.
    wait_until(lambda: {first.poll(), second.poll()} != {None}, timeout_s=40, what="one of them ends")
    assert {first.poll(), second.poll()} == {None, 4}, system.log()
    wait_until(lambda: system.log().count("another agent connected with this device id") == 1, what="it says why")


def test_a_refused_login_is_never_connected_and_never_a_storm(
    system: WholeSystem, broker: Mosquitto, link: TcpProxy, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong-password"
    wrong.write_text("wrong")
    mqtt = mqtt_yaml(broker.settings(system.device_id, port=link.port)) | {"password_file": str(wrong)}
    settings = system.edge_settings(broker.settings(system.device_id)) | {"mqtt": mqtt}
    path = system.write_settings("refused", settings)
    image = str(draw_images(tmp_path / "images", 1)[0])
    agent = system.start_agent(image, "--exit-when-answered", "--deadline", "6", settings=path)
    assert agent.wait(40) == 3
    events = [json.loads(line) for line in path.with_suffix(".jsonl").read_text().splitlines()]
    assert not any(event["event"] == "LinkChanged" and event["connected"] for event in events)
    assert any(event["event"] == "LinkChanged" for event in events)
    assert link.connections == 1


def test_a_file_given_in_another_terminal_is_answered_there(system: WholeSystem, tmp_path: Path) -> None:
    system.start_bridge()
    system.start_worker()
    system.start_agent()
    image = draw_images(tmp_path / "images", 1)[0]
    bad = tmp_path / "bad.jpg"
    bad.write_text("no image")
    done = system.edge_command("capture", str(image), "--subject", "S-1", "--wait", "40")
    assert done.returncode == 0, done.stdout + system.log()
    assert "accepted" in done.stdout
    assert any(f": {triage} (" in done.stdout for triage in Triage)
    refused = system.edge_command("capture", str(bad))
    assert refused.returncode == 1
    assert "refused (unreadable-image)" in refused.stdout


def test_neither_a_file_name_nor_its_exif_leaves_the_device_or_reaches_a_log(
    system: WholeSystem, tmp_path: Path
) -> None:
    system.start_bridge()
    system.start_worker()
    jpeg = draw_images(tmp_path / "images", 1)[0].read_bytes()
    payload = b"Exif\0\0" + CANARY.encode()
    path = tmp_path / f"{CANARY}.jpg"
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + (len(payload) + 2).to_bytes(2) + payload + jpeg[2:])
    agent = system.start_agent(str(path), "--exit-when-answered", "--deadline", "60")
    assert agent.wait(90) == 0, system.log()
    objects = list(system.store.list(""))
    assert objects
    for each in objects:
        assert CANARY.encode() not in system.store.read(each.name)[0] + str(each).encode()
    for kept in (*system.folder.glob("*.log"), *(f for f in system.state_dir.rglob("*") if f.is_file())):
        assert CANARY.encode() not in kept.read_bytes(), kept


def connected(system: WholeSystem) -> bool:
    return bool(system.status()["connected"])
