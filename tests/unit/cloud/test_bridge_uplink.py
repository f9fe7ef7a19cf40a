"""Every decision about one message of a device, on fakes."""

import itertools
import random
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from digiscope_cloud.bridge.uplink import lane_key
from digiscope_shared import codec, object_names
from digiscope_shared.capture_ids import new_capture_id
from digiscope_shared.codec import Envelope
from digiscope_shared.errors import Reason
from digiscope_shared.lifecycle import DeviceLifecycle
from digiscope_shared.messages import (
    AnalysisResult,
    DeviceState,
    ReceiptKind,
    ResultRequest,
    TelemetryReading,
    Triage,
)
from digiscope_shared.messages.capture import MAX_PART_BYTES
from digiscope_shared.mqtt_topics import Channel
from digiscope_shared.pubsub_topics import PubsubTopic
from tests.support.bridge_fakes import from_device, parts_of
from tests.support.bridge_replica import Replica
from tests.support.waiting import wait_until

IMAGE = random.Random(1).randbytes(300_000)


def test_a_single_part_is_stored_announced_acked_and_answered() -> None:
    replica = Replica()
    (part,) = parts_of(IMAGE[:1000], subject="p-7", age=61, frame_width_mm=12.5)
    assert replica.handle(part).count == 1
    capture_id = part.attributes["capture_id"]
    assert sorted(replica.store.objects) == [object_names.capture_record(capture_id), object_names.image(capture_id)]
    content, image = replica.store.objects[object_names.image(capture_id)]
    assert content == IMAGE[:1000]
    (record,) = replica.records()
    assert (record.device_id, record.image_generation) == ("dev-1", image.generation)
    assert (record.subject, record.age, record.frame_width_mm) == ("p-7", 61, 12.5)
    assert record.image_uri == f"gs://fake-bucket/{object_names.image(capture_id)}"
    assert record.traceparent.split("-")[1] == part.attributes["traceparent"].split("-")[1]
    assert replica.kinds() == [ReceiptKind.STORED]
    assert replica.dead() == []


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_parts_in_any_order_over_two_replicas_make_one_image(order: tuple[int, ...]) -> None:
    one = Replica()
    two = Replica(one.store, one.pubsub)
    parts = parts_of(IMAGE, parts=3)
    for index, number in enumerate(order):
        assert (one, two)[index % 2].handle(parts[number]).count == 1
    capture_id = parts[0].attributes["capture_id"]
    assert one.store.objects[object_names.image(capture_id)][0] == IMAGE
    assert len(one.records()) == 1
    told = one.downlink.receipts() + two.downlink.receipts()
    assert [receipt.kind for receipt in told].count(ReceiptKind.STORED) == 1
    missing = [receipt.missing_parts for receipt in told if receipt.kind is ReceiptKind.MISSING]
    assert missing == ([] if order[2] == 2 else [tuple(sorted(set(range(2)) - set(order[: order.index(2)])))])


def test_repeats_after_the_end_change_nothing_and_are_answered() -> None:
    replica = Replica()
    parts = parts_of(IMAGE, parts=3)
    for part in parts:
        replica.handle(part)
    before = dict(replica.store.objects)
    for part in parts:
        replica.handle(part)
    assert replica.kinds() == [ReceiptKind.STORED] * 4
    assert replica.store.objects == before
    assert len(replica.records()) == 1


def test_a_part_that_comes_again_tells_what_is_missing() -> None:
    replica = Replica()
    parts = parts_of(IMAGE, parts=4)
    replica.handle(parts[1])
    assert replica.downlink.receipts() == []
    replica.handle(parts[1])
    (receipt,) = replica.downlink.receipts()
    assert (receipt.kind, receipt.missing_parts) == (ReceiptKind.MISSING, (0, 2, 3))


def test_a_record_that_was_not_written_is_made_good() -> None:
    """A replica died between the image and the record."""
    replica = Replica()
    (part,) = parts_of(IMAGE[:1000])
    replica.handle(part)
    record_name = object_names.capture_record(part.attributes["capture_id"])
    del replica.store.objects[record_name]
    replica.handle(part)
    assert record_name in replica.store.objects
    assert len(replica.records()) == 2
    assert replica.kinds() == [ReceiptKind.STORED] * 2


def test_two_replicas_that_assemble_at_once_agree() -> None:
    one = Replica()
    two = Replica(one.store, one.pubsub)
    parts = parts_of(IMAGE, parts=2)
    one.handle(parts[0])
    barrier, list_of = threading.Barrier(2, timeout=10), one.store.list

    def list_together(prefix: str) -> Any:
        found = list_of(prefix)
        barrier.wait()
        return found

    one.store.list = list_together  # type: ignore[method-assign]
    threads = [threading.Thread(target=replica.handle, args=(parts[1],)) for replica in (one, two)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert one.kinds() + two.kinds() == [ReceiptKind.STORED] * 2
    assert one.store.objects[object_names.image(parts[0].attributes["capture_id"])][0] == IMAGE


OTHER_ID = new_capture_id(1_700_000_000_001)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda part: change(part, image_sha256="0" * 64), Reason.WRONG_HASH),
        (lambda part: change(part, image_bytes="999"), Reason.BAD_PART),
        (lambda part: change(part, image_bytes="1001"), Reason.WRONG_HASH),
        (lambda part: replace(part, body=b""), Reason.BAD_PART),
        (lambda part: replace(part, body=bytes(MAX_PART_BYTES + 1)), Reason.TOO_LARGE),
        (lambda part: change(part, image_bytes=str(64 * 1024 * 1024)), Reason.BAD_ATTRIBUTES),
        (lambda part: change(part, part="1"), Reason.BAD_PART),
        (lambda part: change(part, part="-1"), Reason.BAD_ATTRIBUTES),
        (lambda part: change(part, parts="0"), Reason.BAD_ATTRIBUTES),
        (lambda part: change(part, parts="100000"), Reason.BAD_ATTRIBUTES),
        (lambda part: change(part, parts="7", image_bytes="3"), Reason.BAD_PART),
        (lambda part: change(part, schema="digiscope.capture/2"), Reason.UNKNOWN_SCHEMA),
        (lambda part: change(part, schema=None), Reason.UNKNOWN_SCHEMA),
        (lambda part: change(part, image_sha256=None), Reason.BAD_ATTRIBUTES),
        (lambda part: change(part, content_type="text/html"), Reason.BAD_ATTRIBUTES),
        (lambda part: change(part, subject="Jane Doe"), Reason.BAD_ATTRIBUTES),
    ],
)
def test_what_is_wrong_for_good_is_dead_lettered_acked_and_rejected(
    change: Callable[[Envelope], Envelope], reason: Reason
) -> None:
    replica = Replica()
    part = change(parts_of(IMAGE[:1000])[0])
    assert replica.handle(part).count == 1
    (receipt,) = replica.downlink.receipts()
    assert (receipt.kind, receipt.reason) == (ReceiptKind.REJECTED, reason)
    assert receipt.capture_id == part.attributes["capture_id"]
    (dead,) = replica.dead()
    assert dead.body == part.body
    assert dead.attributes.items() >= part.attributes.items()
    assert dead.attributes["dead_reason"] == reason
    assert dead.attributes["dead_mqtt_topic"] == "digiscope/v1/devices/dev-1/captures"
    assert replica.store.objects == {}
    assert replica.records() == []


def change(part: Envelope, /, **changes: str | None) -> Envelope:
    attributes = dict(part.attributes) | changes
    return replace(part, attributes={name: value for name, value in attributes.items() if value is not None})


def test_a_wrong_hash_over_all_parts_is_rejected() -> None:
    replica = Replica()
    for part in parts_of(IMAGE, parts=3, image_sha256="0" * 64):
        replica.handle(part)
    assert [receipt.reason for receipt in replica.downlink.receipts()] == [Reason.WRONG_HASH]
    assert not any(name.endswith(("image.jpg", "capture.json")) for name in replica.store.objects)


def test_parts_that_contradict_each_other_are_rejected() -> None:
    replica = Replica()
    two, three = parts_of(IMAGE, parts=2), parts_of(IMAGE, parts=3)
    capture_id = two[0].attributes["capture_id"]
    replica.handle(two[0])
    replica.handle(change(three[2], capture_id=capture_id))
    assert [receipt.reason for receipt in replica.downlink.receipts()] == [Reason.BAD_PART]
    assert "parts is 3 here and 2 in" in replica.downlink.receipts()[0].detail


@pytest.mark.parametrize("parts", [1, 2])
def test_a_capture_id_of_another_device_is_refused(parts: int) -> None:
    replica = Replica()
    envelopes = parts_of(IMAGE[:1000], parts=parts)
    for envelope in envelopes:
        replica.handle(envelope)
    replica.handle(envelopes[-1], device_id="dev-2")
    assert replica.downlink.receipts()[-1].reason is Reason.CAPTURE_ID_TAKEN
    assert replica.downlink.sent[-1].mqtt_topic == "digiscope/v1/devices/dev-2/receipts"


def test_the_same_capture_id_with_another_image_is_refused() -> None:
    replica = Replica()
    (part,) = parts_of(IMAGE[:1000])
    replica.handle(part)
    replica.handle(parts_of(IMAGE[1000:2000], capture_id=part.attributes["capture_id"])[0])
    assert replica.downlink.receipts()[-1].reason is Reason.CAPTURE_ID_TAKEN
    assert replica.store.objects[object_names.image(part.attributes["capture_id"])][0] == IMAGE[:1000]


@pytest.mark.parametrize(
    "mqtt_topic",
    ["other", "digiscope/v1/devices/A b/captures", "digiscope/v2/devices/a/captures", "digiscope/v1/devices/a/results"],
)
def test_topics_that_do_not_parse_or_go_down_are_dead_lettered(mqtt_topic: str) -> None:
    replica = Replica()
    assert replica.handle(parts_of(IMAGE[:10])[0], mqtt_topic=mqtt_topic).count == 1
    assert [dead.attributes["dead_reason"] for dead in replica.dead()] == [Reason.BAD_TOPIC]
    assert replica.downlink.sent == []


def test_damaged_attributes_are_dead_lettered_and_rejected_where_the_id_can_be_read() -> None:
    replica = Replica()
    replica.handle(parts_of(IMAGE[:10])[0], fault="not UTF-8")
    assert [receipt.reason for receipt in replica.downlink.receipts()] == [Reason.BAD_ATTRIBUTES]
    replica.handle(Envelope(attributes={"capture_id": "\ufffd"}, body=b"x"), fault="not UTF-8")
    assert len(replica.downlink.receipts()) == 1
    assert len(replica.dead()) == 2


def test_a_dead_letter_that_breaks_the_limits_of_pubsub_is_cut_to_fit() -> None:
    replica = Replica()
    attributes = {f"a{number}": "ü" * 2000 for number in range(200)} | {"": "x", "goog-x": "x", "n" * 300: "x"}
    assert replica.handle(Envelope(attributes=attributes, body=b"body")).count == 1
    (dead,) = replica.dead()
    assert dead.body == b"body"
    assert dead.attributes["dead_reason"] == Reason.UNKNOWN_SCHEMA
    assert dead.attributes["dead_damage"]


def test_while_storage_is_away_nothing_is_acked_and_then_all_is_done() -> None:
    replica = Replica()
    replica.store.away = True
    message, acks = from_device(parts_of(IMAGE[:1000])[0])
    thread = threading.Thread(target=replica.uplink.handle, args=(message,))
    thread.start()
    wait_until(lambda: thread.is_alive() and acks.count == 0, what="it is being retried")
    assert replica.downlink.sent == []
    replica.store.away = False
    thread.join(10)
    assert acks.count == 1
    assert replica.kinds() == [ReceiptKind.STORED]


def test_nothing_is_acked_before_pubsub_has_confirmed() -> None:
    replica = Replica()
    replica.pubsub.away = True
    message, acks = from_device(parts_of(IMAGE[:1000])[0])
    thread = threading.Thread(target=replica.uplink.handle, args=(message,))
    thread.start()
    wait_until(lambda: replica.store.objects, what="the image is stored")
    replica.stopping.set()
    thread.join(10)
    assert acks.count == 0
    assert not any(name.endswith("capture.json") for name in replica.store.objects)


def test_a_receipt_that_cannot_be_sent_is_asked_for_again() -> None:
    replica = Replica()
    replica.downlink.away = True
    (part,) = parts_of(IMAGE[:1000])
    assert replica.handle(part).count == 1
    replica.downlink.away = False
    replica.handle(part)
    assert replica.kinds() == [ReceiptKind.STORED]


def test_a_bug_of_ours_loses_nothing_and_holds_nobody_up() -> None:
    replica = Replica()

    def fail(_: object) -> None:
        raise ZeroDivisionError("a bug")

    replica.desk.take = fail  # type: ignore[method-assign, assignment]
    assert replica.handle(parts_of(IMAGE[:1000])[0]).count == 1
    (dead,) = replica.dead()
    assert (dead.attributes["dead_reason"], dead.body) == ("bridge-fault", IMAGE[:1000])
    assert replica.downlink.sent == []


STATE = codec.encode_json(DeviceState(lifecycle=DeviceLifecycle.READY, boot_id="b1"))
READING = codec.encode_json(
    TelemetryReading(subject="p-7", metric="heart-rate", value=72, unit="/min", measured_at="2026-01-01T00:00:00Z")
)


@pytest.mark.parametrize(
    ("channel", "body"),
    [(Channel.STATE, STATE), (Channel.TELEMETRY, READING), (Channel.RESPONSES, b'{"schema":"digiscope.pong/1"}')],
)
def test_events_go_on_unchanged_in_the_order_of_their_device(channel: Channel, body: bytes) -> None:
    replica = Replica()
    assert replica.handle(Envelope(attributes={"schema": "s/1", "later": "x"}, body=body), channel=channel).count == 1
    (published,) = replica.pubsub.published
    assert (published.pubsub_topic_id, published.ordering_key) == (PubsubTopic.DEVICE_EVENTS, "dev-1")
    assert published.envelope.body == body
    added = {"device_id": "dev-1", "channel": channel}
    assert published.envelope.attributes == {"schema": "s/1", "later": "x"} | added


@pytest.mark.parametrize(
    ("channel", "body", "reason"),
    [
        (Channel.STATE, b"", Reason.BAD_BODY),
        (Channel.STATE, b"{}", Reason.UNKNOWN_SCHEMA),
        (Channel.STATE, STATE.replace(b"ready", b"asleep"), Reason.BAD_BODY),
        (Channel.TELEMETRY, STATE, Reason.UNKNOWN_SCHEMA),
        (Channel.TELEMETRY, READING.replace(b"p-7", b"Jane Doe"), Reason.BAD_BODY),
        (Channel.TELEMETRY, b"\xff\xd8", Reason.BAD_BODY),
    ],
)
def test_bad_events_are_dead_lettered(channel: Channel, body: bytes, reason: Reason) -> None:
    replica = Replica()
    replica.handle(Envelope(attributes={}, body=body), channel=channel)
    assert [dead.attributes["dead_reason"] for dead in replica.dead()] == [reason]
    assert replica.pubsub.on_topic(PubsubTopic.DEVICE_EVENTS) == []
    assert replica.downlink.sent == []


def request(capture_id: str) -> Envelope:
    return Envelope(
        attributes={"schema": ResultRequest.SCHEMA}, body=codec.encode_json(ResultRequest(capture_id=capture_id))
    )


def test_a_result_request_is_answered_from_storage() -> None:
    replica = Replica()
    (part,) = parts_of(IMAGE[:1000])
    replica.handle(part)
    capture_id = part.attributes["capture_id"]
    bodies = [result_body(capture_id, digest) for digest in ("a", "b")]
    for digest, body in zip(("a", "b"), bodies, strict=True):
        replica.store.create(object_names.result(capture_id, digest), body, content_type="application/json")
    assert replica.handle(request(capture_id), channel=Channel.RESPONSES).count == 1
    results = [sent for sent in replica.downlink.sent if sent.mqtt_topic == "digiscope/v1/devices/dev-1/results"]
    assert [sent.envelope.body for sent in results] == bodies
    assert results[0].envelope.attributes["capture_id"] == capture_id
    assert len(replica.records()) == 1


def test_a_result_request_without_a_result_asks_the_worker_again() -> None:
    replica = Replica()
    (part,) = parts_of(IMAGE[:1000])
    replica.handle(part)
    replica.handle(request(part.attributes["capture_id"]), channel=Channel.RESPONSES)
    first, again = replica.records()
    assert first == again


def test_a_result_request_for_another_devices_capture_tells_nothing() -> None:
    replica = Replica()
    (part,) = parts_of(IMAGE[:1000])
    replica.handle(part)
    told = len(replica.downlink.sent)
    capture_id = part.attributes["capture_id"]
    replica.store.create(object_names.result(capture_id, "a"), result_body(capture_id, "a"), content_type="")
    replica.handle(request(capture_id), channel=Channel.RESPONSES, device_id="dev-2")
    replica.handle(request(OTHER_ID), channel=Channel.RESPONSES, device_id="dev-2")
    assert len(replica.downlink.sent) == told
    assert [dead.attributes["dead_reason"] for dead in replica.dead()] == [Reason.CAPTURE_ID_TAKEN, Reason.BAD_BODY]


def result_body(capture_id: str, model_digest: str) -> bytes:
    return codec.encode_json(
        AnalysisResult(
            capture_id=capture_id,
            device_id="dev-1",
            image_sha256="0" * 64,
            model_digest=model_digest,
            model_id="m",
            triage=Triage.ROUTINE,
            analysed_at="2026-01-01T00:00:00Z",
            traceparent="",
        )
    )


def test_parts_of_a_capture_share_a_lane_and_events_of_a_device_another() -> None:
    part = parts_of(IMAGE[:10])[0]
    keys = {lane_key(from_device(part, device_id=device_id)[0]) for device_id in ("a", "b")}
    assert keys == {part.attributes["capture_id"]}
    event = Envelope(attributes={})
    state, telemetry, other = (
        lane_key(from_device(event, device_id=device_id, channel=channel)[0])
        for device_id, channel in (("a", "state"), ("a", "telemetry"), ("b", "state"))
    )
    assert state == telemetry != other
    assert lane_key(from_device(event, mqtt_topic="x")[0]) == ""
