"""`digiscope-cloud dead-letters` and `trace` on the real emulators, as a person calls them."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from digiscope_cloud.__main__ import main
from digiscope_cloud.adapters.gcs_object_store import GcsObjectStore
from digiscope_cloud.adapters.pubsub_letter_box import PubsubLetterBox
from digiscope_cloud.adapters.pubsub_publisher import PubsubPublisher
from digiscope_cloud.adapters.pubsub_subscriber import subscriber_client
from digiscope_cloud.audit_log.chain import verify
from digiscope_cloud.audit_log.file_audit_log import raw_lines
from digiscope_cloud.dead_letters.writing import DeadLetters
from digiscope_cloud.fleet.provisioning import MAX_DELIVERY_ATTEMPTS
from digiscope_cloud.settings import CloudSettings
from digiscope_shared import object_names
from digiscope_shared.capture_ids import new_capture_id
from digiscope_shared.codec import Envelope, encode_json
from digiscope_shared.errors import Reason
from digiscope_shared.lesions import DISCLAIMER
from digiscope_shared.messages import StepName, TraceStep
from digiscope_shared.pubsub_topics import UPLINK_DEAD, PubsubTopic, Subscription, dead_letter_id
from tests.support.bridge_fakes import parts_of
from tests.support.waiting import wait_until

pytestmark = pytest.mark.filterwarnings("ignore:The return_immediately flag:DeprecationWarning")
WORKER_DEAD = dead_letter_id(Subscription.CAPTURES_WORKER)
IMAGE = bytes(range(256)) * 100


class Desk:
    """The commands with this project's settings and an audit log."""

    def __init__(self, cloud: CloudSettings, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.cloud, self.audit_log = cloud, folder / "audit.jsonl"
        monkeypatch.setenv("DIGISCOPE_AUDIT_LOG", str(self.audit_log))
        self._settings = folder / "cloud.yaml"
        self._settings.write_text(yaml.safe_dump({"project": cloud.project, "bucket": cloud.bucket}))
        self.publisher, self.store = PubsubPublisher(cloud), GcsObjectStore(cloud)

    def call(self, *arguments: str, answer: str = "") -> Result:
        return CliRunner().invoke(main, [*arguments, "--settings", str(self._settings)], input=answer)

    def letters(self, *arguments: str) -> list[dict[str, Any]]:
        done = self.call("dead-letters", "list", "--json", *arguments)
        assert done.exit_code == 0, done.output
        found: list[dict[str, Any]] = json.loads(done.stdout)["letters"]
        return found

    def wait_for(self, count: int) -> list[dict[str, Any]]:
        seen: list[dict[str, Any]] = []

        def are_there() -> bool:
            seen[:] = self.letters()
            return len(seen) == count

        wait_until(are_there, timeout_s=40, what=f"{count} dead letters")
        return seen

    def bury(self, place: str, envelope: Envelope, reason: Reason = Reason.WRONG_HASH, mqtt_topic: str = "") -> None:
        DeadLetters(self.publisher, place).put(envelope, reason=reason, detail="why", mqtt_topic=mqtt_topic)

    def bury_part(self, **changes: Any) -> str:
        (part,) = parts_of(IMAGE, capture_id=new_capture_id(time.time_ns() // 1_000_000), **changes)
        self.bury(UPLINK_DEAD, part, mqtt_topic="digiscope/v1/devices/dev-1/captures")
        return part.attributes["capture_id"]

    def acts(self) -> list[tuple[str, str]]:
        if not self.audit_log.exists():
            return []
        assert verify(raw_lines(self.audit_log))[0] == []
        lines = [json.loads(line) for line in raw_lines(self.audit_log)]
        return [(line["act"], line["subject"]) for line in lines]


@pytest.fixture
def desk(cloud: CloudSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(cloud, tmp_path, monkeypatch)


def test_letters_are_listed_shown_and_filtered_and_nothing_is_consumed(desk: Desk) -> None:
    capture_id = desk.bury_part()
    body = b'{"b": 1, "a": "\\u001b[2J"}'
    desk.bury(WORKER_DEAD, Envelope(attributes={"schema": "x/1", "device_id": "dev-2"}, body=body), Reason.BAD_BODY)
    part, record = sorted(desk.wait_for(2), key=lambda letter: str(letter["device"]))
    assert (part["where"], part["reason"], part["capture"], part["device"]) == (
        UPLINK_DEAD,
        "wrong-hash",
        capture_id,
        "dev-1",
    )
    assert [each["key"] for each in desk.letters("--in", WORKER_DEAD)] == [record["key"]]
    assert [each["key"] for each in desk.letters("--reason", "wrong-hash")] == [part["key"]]
    shown = desk.call("dead-letters", "show", part["key"]).stdout
    assert f'"bytes": {len(IMAGE)}' in shown
    assert "image_sha256: " in shown
    shown = desk.call("dead-letters", "show", record["key"]).stdout
    assert '"b": 1' in shown
    assert "\x1b" not in shown
    table = desk.call("dead-letters", "list").stdout
    assert table.splitlines()[-1] == f"2 dead letters ({DISCLAIMER})"
    assert capture_id in table
    assert desk.call("dead-letters", "show", "nobody").exit_code == 1
    assert {each["key"] for each in desk.wait_for(2)} == {part["key"], record["key"]}


def test_a_part_is_stored_by_its_replay_and_the_audit_log_says_so(desk: Desk) -> None:
    good, bad = desk.bury_part(), desk.bury_part(image_sha256="0" * 64)
    letters = desk.wait_for(2)
    done = desk.call("dead-letters", "replay", "--all", "--reason", "wrong-hash")
    assert done.exit_code == 1
    assert "refused again: wrong-hash" in done.stdout
    assert desk.store.find(object_names.capture_record(good)) is not None
    (left,) = desk.wait_for(1)
    assert left["capture"] == bad
    assert desk.acts() == [("accepted", good), ("replayed", good)]
    (gone,) = (each["key"] for each in letters if each["capture"] == good)
    assert desk.call("dead-letters", "replay", gone).exit_code == 1


def test_dropping_asks_notes_why_and_takes_away(desk: Desk) -> None:
    desk.bury_part()
    (letter,) = desk.wait_for(1)
    drop = ("dead-letters", "drop", letter["key"], "--why", "a test device")
    assert desk.call("dead-letters", "drop", letter["key"]).exit_code == 2
    assert desk.call(*drop, answer="n\n").exit_code == 1
    desk.wait_for(1)
    assert desk.call(*drop, answer="y\n").exit_code == 0
    desk.wait_for(0)
    assert desk.acts() == [("dropped", letter["capture"])]
    assert json.loads(list(raw_lines(desk.audit_log))[-1])["detail"]["why"] == "a test device"


def test_what_pubsub_gave_back_to_its_topic_comes_to_its_reader(desk: Desk) -> None:
    message = Envelope(attributes={"schema": "x/1", "capture_id": "c"}, body=b"{}")
    desk.bury(WORKER_DEAD, message)
    desk.wait_for(1)
    assert desk.call("dead-letters", "replay", "--all").exit_code == 0
    # The reader's subscription is looked into as a letter box would be.
    with PubsubLetterBox(desk.cloud).open(Subscription.CAPTURES_WORKER) as held_messages:
        assert [held.letter.envelope for held in held_messages] == [message]
    desk.wait_for(0)


def test_what_pubsub_gave_up_itself_says_how_often_it_tried_and_is_replayed_as_it_was(desk: Desk) -> None:
    message = Envelope(attributes={"schema": "x/1", "device_id": "dev-1"}, body=b"{}")
    desk.publisher.publish(PubsubTopic.CAPTURES, message)
    give_back_until_it_is_gone(desk.cloud, Subscription.CAPTURES_WORKER)
    (letter,) = desk.wait_for(1)
    assert (letter["reason"], letter["attempts"], letter["device"]) == (
        "delivered-too-often",
        MAX_DELIVERY_ATTEMPTS,
        "dev-1",
    )
    assert desk.call("dead-letters", "replay", letter["key"]).exit_code == 0
    with PubsubLetterBox(desk.cloud).open(Subscription.CAPTURES_WORKER) as held_messages:
        assert next(held_messages).letter.envelope == message


def give_back_until_it_is_gone(cloud: CloudSettings, subscription: Subscription) -> None:
    """Nack as a reader that always fails, until Pub/Sub moves the message."""
    client = subscriber_client()
    path = client.subscription_path(cloud.project, subscription)
    attempts: list[int] = []

    # The emulator moves it when it is asked for it once more.
    def is_gone() -> object:
        pulled = client.pull(request={"subscription": path, "max_messages": 1}, timeout=3, retry=None).received_messages
        for each in pulled:
            attempts.append(each.delivery_attempt)
            client.modify_ack_deadline(subscription=path, ack_ids=[each.ack_id], ack_deadline_seconds=0)
        return attempts and not pulled

    wait_until(is_gone, timeout_s=60, what="the last attempt")


def test_keys_or_all_but_not_both(desk: Desk) -> None:
    for arguments in ((), ("k", "--all")):
        assert desk.call("dead-letters", "replay", *arguments).exit_code == 2


def test_a_project_that_is_not_provisioned_is_unreachable(desk: Desk, tmp_path: Path) -> None:
    settings = tmp_path / "other.yaml"
    settings.write_text(yaml.safe_dump({"project": "never-made", "bucket": "b"}))
    done = CliRunner().invoke(main, ["dead-letters", "list", "--settings", str(settings)])
    assert done.exit_code == 3
    assert "provision" in done.stderr


def test_a_capture_is_traced_at_each_stage(desk: Desk, tmp_path: Path) -> None:
    def trace(*arguments: str) -> dict[str, Any]:
        done = desk.call("trace", capture_id, "--json", *arguments)
        assert done.exit_code == 0, done.output
        found: dict[str, Any] = json.loads(done.stdout)
        assert found["disclaimer"] == DISCLAIMER
        return found

    capture_id = desk.bury_part()
    desk.wait_for(1)
    refused = trace()
    assert [step["name"] for step in refused["steps"]] == ["refused"]
    assert "outbox" in refused["standing"]["holder"]
    assert desk.call("dead-letters", "replay", "--all").exit_code == 0
    desk.wait_for(0)
    stored = trace()
    assert [step["name"] for step in stored["steps"]] == ["accepted", "image stored", "recorded"]
    assert all(step["at"] for step in stored["steps"])
    account = tmp_path / "account.jsonl"
    step = TraceStep(capture_id=capture_id, where="device", name=StepName.RECEIPT, at="2026-01-01")
    account.write_bytes(encode_json(step) + b"\n")
    assert "stored receipt" in [step["name"] for step in trace("--device-account", str(account))["steps"]]
    lines = desk.call("trace", capture_id).stdout.splitlines()
    assert lines[-1] == DISCLAIMER
    assert any(line.startswith("next     the worker analyses it") for line in lines)


def test_what_cannot_be_traced_is_said(desk: Desk, tmp_path: Path) -> None:
    unknown = desk.call("trace", "019a0000-0000-7000-8000-000000000000")
    assert unknown.exit_code == 1
    assert desk.cloud.bucket in unknown.stderr
    assert desk.call("trace", "nonsense").exit_code == 2
    account = tmp_path / "account.jsonl"
    account.write_text('{"schema": "digiscope.other/1"}\n')
    wrong = desk.call("trace", "019a0000-0000-7000-8000-000000000000", "--device-account", str(account))
    assert wrong.exit_code == 2
    assert "account.jsonl" in wrong.stderr
