"""The bridge's own processes between a real Mosquitto, Pub/Sub emulator and storage emulator."""

import os
import random
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from google.cloud import pubsub_v1

from digiscope_cloud.adapters.gcs_object_store import GcsObjectStore
from digiscope_cloud.adapters.pubsub_publisher import PubsubPublisher
from digiscope_cloud.adapters.pubsub_subscriber import subscriber_client
from digiscope_cloud.fleet.provisioning import provision
from digiscope_cloud.local.servers import Mosquitto, StorageEmulator
from digiscope_cloud.settings import CloudSettings
from digiscope_shared import codec, mqtt_topics, object_names
from digiscope_shared.codec import Envelope
from digiscope_shared.errors import Reason
from digiscope_shared.messages import CaptureRecord, DesiredConfig, Receipt, ReceiptKind, ResultRequest
from digiscope_shared.mqtt import IncomingMessage, MqttSession, MqttSettings
from digiscope_shared.mqtt_topics import Channel, DeviceTopic
from digiscope_shared.pubsub_topics import UPLINK_DEAD, PubsubTopic, Subscription
from tests.support.bridge_fakes import parts_of
from tests.support.waiting import wait_until

IMAGE = random.Random(2).randbytes(1_000_000)


class Device:
    """A device as the broker sees it: sends parts, keeps what comes down."""

    def __init__(self, settings: MqttSettings, device_id: str) -> None:
        self.device_id = device_id
        self.received: list[IncomingMessage] = []
        self.session = MqttSession(
            settings,
            client_id=device_id,
            topic_filters=mqtt_topics.topic_filters_of_device(device_id),
            on_message=self._take,
            on_link=lambda _: None,
        )
        self.session.start()
        wait_until(lambda: self.session.connected, what=f"{device_id} is connected")

    def send(self, envelope: Envelope, channel: Channel = Channel.CAPTURES) -> None:
        self.session.publish(str(DeviceTopic(device_id=self.device_id, channel=channel)), envelope)

    def on(self, channel: Channel) -> list[IncomingMessage]:
        return [message for message in self.received if mqtt_topics.parse(message.mqtt_topic).channel is channel]

    def receipts(self) -> list[Receipt]:
        return [codec.decode_json(Receipt, message.envelope.body) for message in self.on(Channel.RECEIPTS)]

    def stored(self) -> set[str]:
        return {receipt.capture_id for receipt in self.receipts() if receipt.kind is ReceiptKind.STORED}

    def _take(self, message: IncomingMessage) -> None:
        self.received.append(message)
        message.ack()


class BridgeProcess:
    def __init__(self, folder: Path, cloud: CloudSettings, mqtt: MqttSettings, share: str, **options: Any) -> None:
        self.replica = options.pop("replica", "0") + share
        values = {
            "project": cloud.project,
            "bucket": cloud.bucket,
            "replica": self.replica,
            "share_name": share,
            "mqtt": {
                "host": mqtt.host,
                "port": mqtt.port,
                "username": mqtt.username,
                "password_file": mqtt.password_file,
                "session_expiry_s": 60,
                "connect_backoff_s": 0.1,
                "connect_backoff_cap_s": 1.0,
            },
        }
        self._settings = folder / f"bridge-{self.replica}.yaml"
        self._settings.write_text(yaml.safe_dump(values | options))
        self.log_path = folder / f"bridge-{self.replica}.log"
        self.start()

    def start(self) -> None:
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "digiscope_cloud", "bridge", "--settings", str(self._settings)],
                stdout=log,
                stderr=log,
                env=dict(os.environ),
            )
        lines = self.log_path.read_text().count('"connected"')
        wait_until(
            lambda: self.log_path.read_text().count('"connected"') > lines or self.process.poll() is not None,
            timeout_s=30,
            what="the bridge is connected",
        )
        assert self.process.poll() is None, self.log_path.read_text()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def resident_bytes(self) -> int:
        return int(psutil.Process(self.process.pid).memory_info().rss)


class Site:
    """The servers, and what is started between them."""

    def __init__(self, folder: Path, cloud: CloudSettings, mosquitto: Mosquitto) -> None:
        self._folder, self.cloud, self._mosquitto = folder, cloud, mosquitto
        self._share = uuid.uuid4().hex[:8]
        self.store = GcsObjectStore(cloud)
        self.publisher = PubsubPublisher(cloud)
        self._subscriber: Any = subscriber_client()
        self._bridges: list[BridgeProcess] = []
        self._devices: list[Device] = []

    def bridge(self, **options: Any) -> BridgeProcess:
        self._bridges.append(
            BridgeProcess(self._folder, self.cloud, self._mosquitto.settings("bridge"), self._share, **options)
        )
        return self._bridges[-1]

    def device(self) -> Device:
        device_id = f"dev-{uuid.uuid4().hex[:8]}"
        self._devices.append(Device(self._mosquitto.settings(device_id), device_id))
        return self._devices[-1]

    def pull(self, subscription_id: str, count: int) -> Sequence[Envelope]:
        """Take `count` messages off a subscription, within 20 s."""
        path = pubsub_v1.SubscriberClient.subscription_path(self.cloud.project, subscription_id)
        pulled: list[Envelope] = []

        def enough() -> bool:
            response = self._subscriber.pull(subscription=path, max_messages=100, timeout=5)
            for each in response.received_messages:
                pulled.append(Envelope(attributes=dict(each.message.attributes), body=each.message.data))
                self._subscriber.acknowledge(subscription=path, ack_ids=[each.ack_id])
            return len(pulled) >= count

        with suppress(AssertionError):
            wait_until(enough, timeout_s=20, what=f"{count} messages on {subscription_id}")
        return pulled

    def close(self) -> None:
        for device in self._devices:
            device.session.stop(0.2)
        for bridge in self._bridges:
            if bridge.process.poll() is None:
                bridge.kill()


@pytest.fixture
def site(tmp_path: Path, cloud: CloudSettings, mosquitto: Mosquitto) -> Iterator[Site]:
    running = Site(tmp_path, cloud, mosquitto)
    yield running
    running.close()


def test_a_single_part_is_stored_and_its_repeat_is_answered(site: Site) -> None:
    site.bridge()
    device = site.device()
    (part,) = parts_of(IMAGE[:100_000])
    device.send(part)
    wait_until(lambda: len(device.receipts()) == 1, what="the receipt")
    device.send(part)
    wait_until(lambda: len(device.receipts()) == 2, what="the receipt of the repeat")
    assert [receipt.kind for receipt in device.receipts()] == [ReceiptKind.STORED] * 2
    (published,) = site.pull(Subscription.CAPTURES_WORKER, 1)
    record = codec.decode_json(CaptureRecord, published.body)
    assert published.attributes["device_id"] == record.device_id == device.device_id
    assert site.store.read(object_names.image(record.capture_id))[0] == IMAGE[:100_000]
    assert (
        codec.decode_json(CaptureRecord, site.store.read(object_names.capture_record(record.capture_id))[0]) == record
    )


def test_many_parts_over_two_replicas_make_each_image_once(site: Site) -> None:
    for replica in ("0", "1"):
        site.bridge(replica=replica)
    device = site.device()
    captures = [parts_of(IMAGE[start:], parts=8) for start in range(6)]
    for part in (capture[number] for number in range(8) for capture in captures):
        device.send(part)
    capture_ids = {capture[0].attributes["capture_id"] for capture in captures}
    wait_until(lambda: device.stored() == capture_ids, timeout_s=30, what="all are stored")
    for start, capture in enumerate(captures):
        assert site.store.read(object_names.image(capture[0].attributes["capture_id"]))[0] == IMAGE[start:]


def test_a_wrong_hash_and_garbage_are_dead_lettered_with_their_reasons(site: Site) -> None:
    site.bridge()
    device = site.device()
    for part in parts_of(IMAGE, parts=4, image_sha256="0" * 64):
        device.send(part)
    wait_until(device.receipts, what="the rejection")
    assert (device.receipts()[-1].kind, device.receipts()[-1].reason) == (ReceiptKind.REJECTED, Reason.WRONG_HASH)
    device.send(Envelope(attributes={"schema": "digiscope.capture/9"}, body=b"?"))
    device.send(Envelope(attributes={}, body=b"not JSON"), Channel.STATE)
    device.send(Envelope(attributes={f"a{n}": "x" * 2000 for n in range(20)}, body=b"{}"), Channel.TELEMETRY)
    dead = site.pull(UPLINK_DEAD, 4)
    assert sorted(each.attributes["dead_reason"] for each in dead) == sorted(
        [Reason.WRONG_HASH, Reason.UNKNOWN_SCHEMA, Reason.BAD_BODY, Reason.UNKNOWN_SCHEMA]
    )
    assert {each.body for each in dead} >= {b"?", b"not JSON", b"{}"}


def test_a_replica_killed_in_the_middle_costs_time_and_no_capture(site: Site) -> None:
    doomed = site.bridge(replica="0")
    site.bridge(replica="1")
    device = site.device()
    captures = [parts_of(IMAGE[start:], parts=6) for start in range(8)]
    for capture in captures[:4]:
        for part in capture:
            device.send(part)
    doomed.kill()
    for capture in captures[4:]:
        for part in capture:
            device.send(part)
    capture_ids = {capture[0].attributes["capture_id"] for capture in captures}

    def resend_until_stored() -> bool:
        for capture in captures:
            if capture[0].attributes["capture_id"] not in device.stored():
                for part in capture:
                    device.send(part)
        return device.stored() >= capture_ids

    # The dead member keeps its share of the subscription until it is back: the broker holds its messages for it.
    wait_until(lambda: device.session.untaken == 0, what="the broker took all")
    doomed.start()
    wait_until(resend_until_stored, timeout_s=60, what="all are stored")
    for start, capture in enumerate(captures):
        assert site.store.read(object_names.image(capture[0].attributes["capture_id"]))[0] == IMAGE[start:]


def test_results_and_directives_reach_their_device(site: Site) -> None:
    site.bridge()
    device = site.device()
    attributes = {"schema": "digiscope.result/1", "device_id": device.device_id, "capture_id": "c", "traceparent": "t"}
    site.publisher.publish(PubsubTopic.RESULTS, Envelope(attributes=attributes, body=b'{"result":1}'))
    wait_until(lambda: device.on(Channel.RESULTS), timeout_s=20, what="the result")
    assert device.on(Channel.RESULTS)[0].envelope == Envelope(attributes=attributes, body=b'{"result":1}')
    for version in (1, 2):
        body = codec.encode_json(DesiredConfig(version=version))
        directive = {"schema": DesiredConfig.SCHEMA, "device_id": device.device_id, "channel": "config"}
        site.publisher.publish(
            PubsubTopic.DEVICE_DIRECTIVES, Envelope(attributes=directive, body=body), ordering_key=device.device_id
        )
    wait_until(lambda: len(device.on(Channel.CONFIG)) == 2, timeout_s=20, what="both configs")
    device.session.stop(0.2)
    again = Device(device.session._settings, device.device_id)
    wait_until(lambda: again.on(Channel.CONFIG), what="the retained config")
    assert again.on(Channel.CONFIG)[0].retained
    assert codec.decode_json(DesiredConfig, again.on(Channel.CONFIG)[0].envelope.body).version == 2
    again.session.stop(0.2)


def test_a_result_request_is_answered_from_storage(site: Site) -> None:
    site.bridge()
    device = site.device()
    (part,) = parts_of(IMAGE[:1000])
    device.send(part)
    wait_until(device.stored, what="stored")
    request = ResultRequest(capture_id=part.attributes["capture_id"])
    device.send(Envelope(attributes={"schema": request.SCHEMA}, body=codec.encode_json(request)), Channel.RESPONSES)
    published = site.pull(Subscription.CAPTURES_WORKER, 2)
    assert len({each.body for each in published}) == 1
    assert len({each.body for each in published}) == 1


def test_a_flood_stays_within_the_memory_budget(site: Site) -> None:
    bridge = site.bridge(uplink_bytes=4_000_000, assembly_bytes=64 * 1024 * 1024, lanes=4)
    quiet_bytes = bridge.resident_bytes()
    device = site.device()
    captures = [parts_of(IMAGE[start:] * 3, parts=12) for start in range(20)]
    for capture in captures:
        for part in capture:
            device.send(part)
    seen_bytes = [quiet_bytes]
    capture_ids = {capture[0].attributes["capture_id"] for capture in captures}

    def stored() -> bool:
        seen_bytes.append(bridge.resident_bytes())
        return device.stored() >= capture_ids

    wait_until(stored, timeout_s=60, what="the flood is stored")
    # 60 MB went through; held are 4 MB of parts, and at most four images of 3 MB, twice each: 29 MB were seen, and 96
    # with the default budgets.
    assert max(seen_bytes) - quiet_bytes < 50_000_000


def test_what_came_while_storage_was_away_is_stored_when_it_is_back(
    tmp_path: Path, cloud: CloudSettings, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StorageEmulator(tmp_path / "storage") as storage:
        for name, value in storage.environment.items():
            monkeypatch.setenv(name, value)
        provision(cloud)
        site = Site(tmp_path, cloud, mosquitto)
        try:
            bridge, device = site.bridge(), site.device()
            storage.kill()
            captures = [parts_of(IMAGE[start : start + 50_000])[0] for start in range(20)]
            for part in captures:
                device.send(part)
            wait_until(lambda: "uplink_retried" in bridge.log_path.read_text(), timeout_s=60, what="a retry")
            assert device.receipts() == []
            storage.start()
            capture_ids = {part.attributes["capture_id"] for part in captures}
            wait_until(lambda: device.stored() == capture_ids, timeout_s=90, what="all are stored")
        finally:
            site.close()


def test_sigterm_ends_it_in_order(site: Site) -> None:
    assert site.bridge().stop() == 0


def test_bad_settings_are_named_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "bridge.yaml"
    path.write_text("project: p\nbucket: b\nuplink_byte: 1\n")
    done = subprocess.run(
        [sys.executable, "-m", "digiscope_cloud", "bridge", "--settings", str(path)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert f"{path}:3: unknown key 'uplink_byte'" in done.stderr
