"""A device that knows its fleet: enrolled by command, it obeys what an operator signed and nothing else."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from digiscope_cloud.adapters.pubsub_publisher import PubsubPublisher
from digiscope_cloud.audit_log import chain
from digiscope_cloud.audit_log.file_audit_log import raw_lines
from digiscope_cloud.fleet.__main__ import fleet
from digiscope_cloud.fleet.desired import directive
from digiscope_cloud.settings import CloudSettings
from digiscope_edge.__main__ import main as edge
from digiscope_edge.adapters.image_cipher import KEY_VARIABLE
from digiscope_shared.codec import encode_json
from digiscope_shared.messages import DesiredConfig
from digiscope_shared.pubsub_topics import PubsubTopic
from tests.support.fleet_broker import FleetBroker
from tests.support.waiting import wait_until
from tests.support.whole_system import WholeSystem, draw_images

DEVICE = "clinic-07"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[FleetBroker]:
    with FleetBroker(tmp_path / "broker") as server:
        yield server


@pytest.fixture
def settings_path(broker: FleetBroker, tmp_path: Path) -> Path:
    """Enroll as an operator and a technician would; the agent's settings are what `enroll` wrote."""
    package, home = tmp_path / "clinic-07.tar", tmp_path / "home"
    run(fleet, "enroll", DEVICE, "--out", str(package), "--fleet-dir", str(broker.fleet_dir))
    run(edge, "enroll", str(package), "--dir", str(home))
    path = home / "edge.yaml"
    settings = yaml.safe_load(path.read_text()) | {"state_dir": str(tmp_path / "state"), "outbox": {"reserve_bytes": 0}}
    settings["mqtt"] |= {"connect_backoff_s": 0.2, "connect_backoff_cap_s": 0.5, "refused_backoff_s": 0.5}
    path.write_text(yaml.safe_dump(settings))
    return path


@pytest.fixture
def system(cloud: CloudSettings, broker: FleetBroker, settings_path: Path, tmp_path: Path) -> Iterator[WholeSystem]:
    made = WholeSystem(
        cloud,
        tmp_path,
        device_id=DEVICE,
        device_mqtt=broker.settings_of(settings_path.parent),
        bridge_mqtt=broker.settings("bridge"),
    )
    yield made
    made.close()


def run(command: Any, *arguments: str) -> str:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    return result.output


def push(system: WholeSystem, desired: DesiredConfig) -> None:
    """Send as somebody would who got into Pub/Sub, but not at the operator's key."""
    PubsubPublisher(system.cloud).publish(
        PubsubTopic.DEVICE_DIRECTIVES, directive(DEVICE, encode_json(desired)), ordering_key=DEVICE
    )


def test_an_enrolled_device_obeys_its_operator_alone(
    system: WholeSystem, broker: FleetBroker, settings_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system.start_bridge()
    system.start_agent(settings=settings_path)
    journal = settings_path.with_suffix(".jsonl")

    def events(name: str) -> list[dict[str, Any]]:
        lines = journal.read_bytes().splitlines() if journal.exists() else []
        return [event for event in map(json.loads, lines) if event["event"] == name]

    wait_until(lambda: any(event["connected"] for event in events("LinkChanged")), timeout_s=40, what="connected")
    push(system, DesiredConfig(version=99, config={"jpeg_quality": 50}))
    wait_until(lambda: events("ConfigRefused"), timeout_s=20, what="the unsigned config is refused")
    assert events("ConfigRefused")[0]["detail"] == "not signed"

    settings = tmp_path / "operator.yaml"
    log = broker.fleet_dir / "audit.jsonl"
    settings.write_text(yaml.safe_dump({"project": system.cloud.project, "bucket": system.cloud.bucket}))
    monkeypatch.setenv("DIGISCOPE_AUDIT_LOG", str(log))
    key = str(broker.fleet_dir / "signing.key")
    run(fleet, "config", "set", DEVICE, "jpeg_quality=81", "--signing-key", key, "--settings", str(settings))
    wait_until(lambda: events("ConfigApplied"), timeout_s=20, what="the operator's config is in force")
    assert [event["version"] for event in events("ConfigApplied")] == [1]

    signed = json.loads(system.store.read(f"devices/{DEVICE}/desired.json")[0])
    push(system, DesiredConfig(version=2, config={"jpeg_quality": 50}, signature=signed["signature"]))
    wait_until(lambda: len(events("ConfigRefused")) == 2, timeout_s=20, what="a borrowed signature is refused")
    status = json.loads(run(edge, "--settings", str(settings_path), "status", "--json"))
    assert (status["config_version"], status["fleet_known"]) == (1, True)

    found, _ = chain.verify(raw_lines(log))
    acts = [(line.act, line.subject) for line in map(chain.read_line, raw_lines(log))]
    assert not found
    assert acts[-2:] == [("enrolled", DEVICE), ("configured", DEVICE)]


def test_a_sealed_outbox_survives_a_restart_and_is_answered(
    system: WholeSystem, settings_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, base64.b64encode(bytes(range(32))).decode())
    image = draw_images(tmp_path / "images", 1)[0]
    run(edge, "--settings", str(settings_path), "capture", str(image))
    (waiting,) = (tmp_path / "state" / "images").iterdir()
    assert b"JFIF" not in waiting.read_bytes()
    system.start_bridge()
    system.start_worker()
    system.start_agent(settings=settings_path)
    journal = settings_path.with_suffix(".jsonl")
    wait_until(
        lambda: journal.exists() and b'"CaptureAnswered"' in journal.read_bytes(), timeout_s=60, what="the answer"
    )
    assert list((tmp_path / "state" / "images").iterdir()) == []


def test_a_revoked_device_loses_nothing_and_goes_on_when_it_is_enrolled_again(
    system: WholeSystem, broker: FleetBroker, settings_path: Path, tmp_path: Path
) -> None:
    system.start_bridge()
    system.start_worker()
    agent = system.start_agent(settings=settings_path)
    journal = settings_path.with_suffix(".jsonl")
    wait_until(lambda: journal.exists() and b'"connected":true' in journal.read_bytes(), timeout_s=40, what="connected")
    run(fleet, "revoke", DEVICE, "--fleet-dir", str(broker.fleet_dir))
    wait_until(lambda: b'"connected":false' in journal.read_bytes(), timeout_s=20, what="cut off")
    run(edge, "--settings", str(settings_path), "capture", str(draw_images(tmp_path / "images", 1)[0]))
    wait_until(lambda: b'"CaptureAccepted"' in journal.read_bytes(), timeout_s=20, what="it goes on capturing")
    package = tmp_path / "again.tar"
    run(fleet, "enroll", DEVICE, "--out", str(package), "--fleet-dir", str(broker.fleet_dir))
    assert "renewed" in run(edge, "enroll", str(package), "--dir", str(settings_path.parent))
    wait_until(lambda: b'"CaptureAnswered"' in journal.read_bytes(), timeout_s=60, what="the answer, without a restart")
    assert agent.poll() is None
