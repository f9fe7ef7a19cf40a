"""Configs and states through the real emulators, with the commands that people type."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from digiscope_cloud.__main__ import main
from digiscope_cloud.adapters.pubsub_publisher import PubsubPublisher
from digiscope_cloud.adapters.pubsub_subscriber import PubsubSubscriber
from digiscope_cloud.fleet.provisioning import Outcome, provision
from digiscope_cloud.ports import Delivery
from digiscope_cloud.settings import CloudSettings
from digiscope_shared.codec import Envelope, decode_json, encode_json
from digiscope_shared.lifecycle import DeviceLifecycle
from digiscope_shared.messages import ConfigRefusal, DesiredConfig, DeviceState
from digiscope_shared.pubsub_topics import PubsubTopic, Subscription
from tests.support.waiting import wait_until


class Operator:
    """Types commands, plays a device, and sees the directives."""

    def __init__(self, cloud: CloudSettings, settings: Path) -> None:
        self._settings = settings
        self._publisher = PubsubPublisher(cloud)
        self.directives: list[Envelope] = []
        self.subscriber = PubsubSubscriber(cloud, threads=1)
        self.subscriber.start(Subscription.DEVICE_DIRECTIVES_BRIDGE, self._see, max_messages=10, max_bytes=1_000_000)

    def _see(self, delivery: Delivery) -> None:
        self.directives.append(delivery.envelope)
        delivery.ack()

    def types(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["fleet", *arguments, "--settings", str(self._settings)])

    def shown(self) -> dict[str, Any]:
        shown: dict[str, Any] = json.loads(self.types("config", "show", "site-1", "--json").stdout)
        return shown

    def device_says(self, state: DeviceState) -> None:
        attributes = {"schema": state.SCHEMA, "device_id": "site-1", "channel": "state"}
        envelope = Envelope(attributes=attributes, body=encode_json(state))
        self._publisher.publish(PubsubTopic.DEVICE_EVENTS, envelope, ordering_key="site-1")


@pytest.fixture
def operator(cloud: CloudSettings, tmp_path: Path) -> Iterator[Operator]:
    settings = tmp_path / "cloud.yaml"
    settings.write_text(yaml.safe_dump(dataclasses.asdict(cloud)))
    made = Operator(cloud, settings)
    command = [sys.executable, "-m", "digiscope_cloud", "fleet", "serve", "--settings", str(settings)]
    with (tmp_path / "serve.log").open("w") as log, subprocess.Popen(command, env=os.environ, stderr=log) as served:
        yield made
        served.send_signal(signal.SIGTERM)
        assert served.wait(30) == 0
    made.subscriber.close()


def test_a_config_is_desired_sent_reported_and_sent_again_to_who_missed_it(operator: Operator) -> None:
    assert operator.types("config", "show", "site-1").exit_code == 1
    assert operator.types("config", "set", "site-1", "quality.min_sharpness=40").exit_code == 0
    assert operator.types("config", "set", "site-1", "trigger=key", "--model", "m" * 64).exit_code == 0
    wait_until(lambda: len(operator.directives) == 2, timeout_s=20, what="two directives")
    sent = decode_json(DesiredConfig, operator.directives[1].body)
    assert sent == DesiredConfig(
        version=2, config={"quality": {"min_sharpness": 40}, "trigger": "key"}, model_digest="m" * 64
    )
    assert operator.shown()["config_status"] == "unheard"

    state = DeviceState(lifecycle=DeviceLifecycle.READY, boot_id="b", config_version=1, reported_at="2026-01-01T00:00Z")
    operator.device_says(state)
    wait_until(lambda: len(operator.directives) == 3, timeout_s=30, what="the directive again")
    assert operator.directives[2].body == operator.directives[1].body
    assert operator.shown()["config_status"] == "pending"

    operator.device_says(dataclasses.replace(state, config_version=2, reported_at="2026-01-01T00:01Z"))
    wait_until(lambda: operator.shown()["config_status"] == "applied", timeout_s=20, what="the applied config")
    assert "site-1" in operator.types("devices").stdout


def test_a_refused_config_is_shown_with_its_reason(operator: Operator) -> None:
    operator.types("config", "set", "site-1", "quality.no_such_key=1")
    refusal = ConfigRefusal(version=1, detail="unknown key 'quality.no_such_key'")
    operator.device_says(DeviceState(lifecycle=DeviceLifecycle.READY, boot_id="b", config_refused=refusal))
    wait_until(lambda: operator.shown()["config_status"] == "refused", timeout_s=30, what="the refusal")
    assert "no_such_key'" in operator.types("config", "show", "site-1").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("config", "set", "site-1"),
        ("config", "set", "site-1", "novalue"),
        ("config", "set", "Site/1", "a=1"),
        ("config", "show", "+"),
    ],
)
def test_what_can_not_be_meant_is_a_usage_error(
    cloud: CloudSettings, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    settings = tmp_path / "cloud.yaml"
    settings.write_text(yaml.safe_dump(dataclasses.asdict(cloud)))
    assert CliRunner().invoke(main, ["fleet", *arguments, "--settings", str(settings)]).exit_code == 2


def test_provisioning_again_changes_nothing(cloud: CloudSettings) -> None:
    assert {each.outcome for each in provision(cloud)} == {Outcome.FOUND}
