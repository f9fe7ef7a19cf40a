"""The worker's process on the real emulators: killed, stopped, fed with poison, and cut off from storage."""

import dataclasses
import hashlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import pytest
import yaml

from digiscope_cloud.adapters.gcs_object_store import GcsObjectStore
from digiscope_cloud.adapters.pubsub_publisher import PubsubPublisher
from digiscope_cloud.adapters.pubsub_subscriber import PubsubSubscriber
from digiscope_cloud.drill.tcp_proxy import TcpProxy
from digiscope_cloud.ports import Delivery
from digiscope_cloud.settings import CloudSettings
from digiscope_shared import object_names
from digiscope_shared.capture_ids import new_capture_id
from digiscope_shared.codec import Envelope, decode_json, encode_json
from digiscope_shared.errors import Reason
from digiscope_shared.imaging.phantoms import draw_phantom
from digiscope_shared.messages import AnalysisResult, CaptureRecord, Triage
from digiscope_shared.pubsub_topics import PubsubTopic, Subscription, dead_letter_id
from digiscope_shared.traceparent import new_traceparent
from tests.support import examiners
from tests.support.waiting import wait_until
from tests.support.worker_program import DIGEST

DEAD = dead_letter_id(Subscription.CAPTURES_WORKER)
ASK_AGAIN_S = 5.0


class Inbox:
    """Acks and keeps all that comes on a subscription."""

    def __init__(self, cloud: CloudSettings, subscription: str) -> None:
        self.envelopes: list[Envelope] = []
        self._subscriber = PubsubSubscriber(cloud, threads=1)
        self._subscriber.start(subscription, self._take, max_messages=100, max_bytes=10_000_000)  # type: ignore[arg-type]

    def _take(self, delivery: Delivery) -> None:
        self.envelopes.append(delivery.envelope)
        delivery.ack()

    def bodies_by_capture(self) -> dict[str, list[bytes]]:
        found: dict[str, list[bytes]] = {}
        for envelope in list(self.envelopes):
            found.setdefault(envelope.attributes["capture_id"], []).append(envelope.body)
        return found

    def results(self) -> dict[str, AnalysisResult]:
        return {key: decode_json(AnalysisResult, bodies[0]) for key, bodies in self.bodies_by_capture().items()}

    def close(self) -> None:
        self._subscriber.close()


class Scene:
    """A project with captures, workers and the two subscriptions that they answer on."""

    def __init__(self, cloud: CloudSettings, folder: Path) -> None:
        self.cloud = cloud
        self.store = GcsObjectStore(cloud)
        self.publisher = PubsubPublisher(cloud)
        self.results = Inbox(cloud, Subscription.RESULTS_BRIDGE)
        self.dead = Inbox(cloud, DEAD)
        self._folder = folder
        self._workers: list[subprocess.Popen[str]] = []
        self._records: dict[str, CaptureRecord] = {}

    def capture(self, content: bytes, *, frame_width_mm: float | None = None) -> str:
        """Store an image and publish its record; returns the capture id."""
        capture_id = new_capture_id(time.time_ns() // 1_000_000)
        name = object_names.image(capture_id)
        stored = self.store.create(name, content, content_type="image/jpeg")
        record = CaptureRecord(
            capture_id=capture_id,
            device_id="site-1",
            image_uri=self.store.uri_prefix + name,
            image_generation=stored.generation,
            image_sha256=hashlib.sha256(content).hexdigest(),
            image_bytes=len(content),
            content_type="image/jpeg",
            captured_at="",
            stored_at="",
            boot_id="b",
            sequence=1,
            traceparent=new_traceparent(),
            frame_width_mm=frame_width_mm,
        )
        self._records[capture_id] = record
        self.publish(record)
        return capture_id

    def wait_for_answers(self, captures: Sequence[str]) -> None:
        """Wait as devices do: what has no answer after a while is asked for again, and the bridge publishes it anew.

        The emulator may keep what it handed to a stream that ended then; Pub/Sub itself gives it out again.
        """
        asked_s = time.monotonic()

        def answered() -> bool:
            nonlocal asked_s
            missing = set(captures) - self.results.results().keys()
            if missing and time.monotonic() - asked_s > ASK_AGAIN_S:
                asked_s = time.monotonic()
                for capture_id in missing:
                    self.publish(self._records[capture_id])
            return not missing

        wait_until(answered, timeout_s=125, what="every capture's answer")

    def publish(self, record: CaptureRecord) -> None:
        attributes = {"schema": record.SCHEMA, "capture_id": record.capture_id}
        self.publisher.publish(PubsubTopic.CAPTURES, Envelope(attributes=attributes, body=encode_json(record)))

    def start_worker(
        self, *program: str, environment: dict[str, str] | None = None, **settings: float
    ) -> "subprocess.Popen[str]":
        """Start a worker: the steerable one, or another program that takes the settings' path last."""
        path = self._folder / f"worker-{len(self._workers)}.yaml"
        path.write_text(yaml.safe_dump(dataclasses.asdict(self.cloud) | {"image_processes": 1} | settings))
        worker = subprocess.Popen(
            [sys.executable, "-m", *(program or ("tests.support.worker_program",)), str(path)],
            env=os.environ | (environment or {}),
            stderr=path.with_suffix(".log").open("w"),
            text=True,
        )
        self._workers.append(worker)
        return worker

    def log(self) -> str:
        return "".join(path.read_text() for path in sorted(self._folder.glob("*.log")))

    def result_objects(self, captures: Sequence[str]) -> Counter[str]:
        return Counter({key: len(list(self.store.list(object_names.results_prefix(key)))) for key in captures})

    def close(self) -> None:
        for worker in self._workers:
            if worker.poll() is None:
                worker.kill()
            worker.wait()
        self.results.close()
        self.dead.close()


@pytest.fixture
def scene(cloud: CloudSettings, tmp_path: Path) -> Iterator[Scene]:
    made = Scene(cloud, tmp_path)
    yield made
    made.close()


def test_poison_among_good_images_is_answered_with_retake_and_buried(scene: Scene) -> None:
    good = [scene.capture(bytes([200, number])) for number in range(10)]
    poison = {
        scene.capture(examiners.HANG): Reason.TOO_SLOW,
        scene.capture(examiners.CRASH): Reason.UNREADABLE_IMAGE,
        scene.capture(examiners.BUG): Reason.UNREADABLE_IMAGE,
        scene.capture(examiners.UNREADABLE): Reason.UNREADABLE_IMAGE,
    }
    more_good = [scene.capture(bytes([10, number])) for number in range(10)]
    scene.publisher.publish(PubsubTopic.CAPTURES, Envelope(attributes={"schema": "x"}, body=b"no record"))
    scene.start_worker(image_timeout_s=1.0)
    wait_until(lambda: len(scene.results.results()) == 24 and len(scene.dead.envelopes) >= 5, timeout_s=60, what="all")
    results = scene.results.results()
    assert {results[key].triage for key in good} == {Triage.REFER}
    assert {results[key].triage for key in more_good} == {Triage.ROUTINE}
    for key, reason in poison.items():
        refusal = results[key].refusal
        assert refusal is not None
        assert (results[key].triage, refusal.reason) == (Triage.RETAKE, reason)
    assert Counter(each.attributes["dead_reason"] for each in scene.dead.envelopes) == Counter(
        [*poison.values(), Reason.BAD_BODY]
    )
    assert set(scene.result_objects([*good, *poison, *more_good]).values()) == {1}


def test_the_shipped_worker_judges_lesions_and_refuses_what_is_cut_off(scene: Scene) -> None:
    scene.start_worker("digiscope_cloud", "worker", "--settings")
    jpegs = [cv2.imencode(".jpg", draw_phantom(seed))[1].tobytes() for seed in range(4)]
    lesions = [scene.capture(jpeg, frame_width_mm=12.0) for jpeg in jpegs]
    cut_off = scene.capture(jpegs[0][:700])
    wait_until(lambda: len(scene.results.results()) == 5, timeout_s=90, what="five answers")
    results = scene.results.results()
    assert results[cut_off].triage == Triage.RETAKE
    for key in lesions:
        assert sum(results[key].probabilities.values()) == pytest.approx(1, abs=1e-3)
        assert results[key].prediction is not None
        shape = results[key].findings["vision"]["shape"]
        assert shape["diameter_mm"] == pytest.approx(shape["diameter_px"] * 12 / 600, rel=0.01)
        assert {"fetch", "decode", "vision", "input", "cnn"} <= results[key].stage_ms.keys()


def test_a_repeat_is_answered_again_with_the_same_bytes(scene: Scene) -> None:
    scene.start_worker()
    capture_id = scene.capture(b"\xc8again")
    wait_until(lambda: scene.results.envelopes, timeout_s=40, what="the first answer")
    body, stored = scene.store.read(object_names.result(capture_id, DIGEST))
    image, _ = scene.store.read(object_names.image(capture_id))
    first = decode_json(AnalysisResult, body)
    record = CaptureRecord(
        capture_id=capture_id,
        device_id="site-1",
        image_uri=scene.store.uri_prefix + object_names.image(capture_id),
        image_generation=0,
        image_sha256=hashlib.sha256(image).hexdigest(),
        image_bytes=len(image),
        content_type="image/jpeg",
        captured_at="",
        stored_at="",
        boot_id="b",
        sequence=1,
        traceparent=first.traceparent,
    )
    scene.publish(record)
    wait_until(lambda: len(scene.results.envelopes) == 2, timeout_s=20, what="the second answer")
    assert scene.results.envelopes[0] == scene.results.envelopes[1]
    assert scene.results.envelopes[0].body == body
    found = scene.store.find(object_names.result(capture_id, DIGEST))
    assert found is not None
    assert found.generation == stored.generation


def test_workers_that_are_killed_lose_nothing_and_answer_once(scene: Scene) -> None:
    captures = [scene.capture(bytes([number, 1])) for number in range(60)]
    first = scene.start_worker(leased_captures=32)
    wait_until(lambda: len(scene.results.envelopes) >= 10, timeout_s=40, what="ten answers")
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert len(scene.results.results()) < len(captures), "all were answered before the kill: the test proves nothing"
    scene.start_worker()
    scene.wait_for_answers(captures)
    assert set(scene.result_objects(captures).values()) == {1}
    assert all(len(set(bodies)) == 1 for bodies in scene.results.bodies_by_capture().values())


def test_sigterm_ends_in_order_and_the_rest_is_left_to_others(scene: Scene) -> None:
    captures = [scene.capture(bytes([number, 2])) for number in range(60)]
    first = scene.start_worker(leased_captures=16)
    wait_until(lambda: len(scene.results.envelopes) >= 10, timeout_s=40, what="ten answers")
    first.send_signal(signal.SIGTERM)
    assert first.wait(30) == 0
    assert "worker_stopped" in scene.log()
    scene.start_worker()
    scene.wait_for_answers(captures)
    assert set(scene.result_objects(captures).values()) == {1}


def test_storage_that_is_away_is_sat_out(scene: Scene) -> None:
    storage_port = urlsplit(os.environ["STORAGE_EMULATOR_HOST"]).port
    assert storage_port is not None
    with TcpProxy(storage_port) as proxy:
        scene.start_worker(environment={"STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{proxy.port}"})
        first = scene.capture(b"\x01")
        wait_until(lambda: first in scene.results.results(), timeout_s=40, what="an answer before the outage")
        proxy.refuse()
        captures = [scene.capture(bytes([number, 3])) for number in range(12)]
        wait_until(lambda: "delivery_held" in scene.log(), timeout_s=60, what="a held capture")
        assert len(scene.results.results()) == 1
        proxy.accept()
        scene.wait_for_answers([first, *captures])
    assert set(scene.result_objects(captures).values()) == {1}
    assert scene.dead.envelopes == []


def test_a_model_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    settings = tmp_path / "worker.yaml"
    settings.write_text(yaml.safe_dump({"project": "p", "bucket": "b", "bundle": str(tmp_path / "nowhere")}))
    command = [sys.executable, "-m", "digiscope_cloud", "worker", "--settings", str(settings)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "bad-bundle" in ended.stderr
