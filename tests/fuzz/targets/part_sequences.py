"""Parts of images in any order, repeated, contradicting each other and damaged, over two replicas of the bridge.

An input is a JSON list of steps, each a list of numbers: which capture, image, device and replica, how many parts,
which one, what is untrue about it and what is damaged.
"""

import hashlib
import json
import random
from collections.abc import Sequence
from typing import Final

from hypothesis import strategies as st

from digiscope_cloud.dead_letters.writing import REASON
from digiscope_shared import object_names
from digiscope_shared.capture_ids import new_capture_id
from digiscope_shared.codec import Envelope
from digiscope_shared.errors import Reason
from digiscope_shared.messages import ReceiptKind
from tests.fuzz.json_mutation import as_json
from tests.fuzz.target import Bytes
from tests.support.bridge_fakes import parts_of
from tests.support.bridge_replica import Replica

IMAGES: Final = [random.Random(seed).randbytes(size) for seed, size in enumerate((4, 7, 400))]
CAPTURE_IDS: Final = [new_capture_id(1_700_000_000_000, bytes([number] * 10)) for number in range(3)]
DEVICES: Final = ("clinic-7", "clinic-8")
_MAX_PARTS: Final = 4
# What a message may say that isn't so, and what may have happened to its bytes. Mostly nothing.
LIES: Final = (
    "",
    "",
    "",
    "",
    "other sha256",
    "one byte more",
    "one part more",
    "one byte",
    "past the end",
    "no sha256",
)
DAMAGES: Final = ("", "", "", "", "", "flipped", "cut", "empty", "another part", "longer")

Step = tuple[int, int, int, int, int, int, int, int]


def check_sequence(content: bytes) -> str | None:
    """Send the steps: no wrong image is kept, and `stored` is said of exactly the announced one of this device."""
    one = Replica()
    replicas = (one, Replica(one.store, one.pubsub))
    kept: dict[str, tuple[bytes, int]] = {}
    for step in json.loads(content):
        device_id, replica, envelope = DEVICES[step[2] % 2], replicas[step[3] % 2], message_of(step)
        told = len(replica.downlink.sent)
        assert replica.handle(envelope, device_id=device_id).count == 1
        for sent in replica.downlink.sent[told:]:
            assert sent.mqtt_topic.split("/")[3] == device_id
        for receipt in replica.downlink.receipts()[told:]:
            if receipt.kind is ReceiptKind.STORED:
                _assert_stored(replica, device_id, envelope)
        _assert_kept(one, kept)
    reasons = [dead.attributes[REASON] for dead in one.dead()]
    assert set(reasons) <= set(Reason)
    stored = any(name.endswith("capture.json") for name in one.store.objects)
    return None if stored else reasons[0] if reasons else "incomplete"


def _assert_stored(replica: Replica, device_id: str, envelope: Envelope) -> None:
    said, objects = envelope.attributes, replica.store.objects
    content, image = objects[object_names.image(said["capture_id"])]
    assert hashlib.sha256(content).hexdigest() == said["image_sha256"]
    assert str(len(content)) == said["image_bytes"] or int(said["parts"]) > 1
    assert image.metadata["device_id"] == device_id
    assert object_names.capture_record(said["capture_id"]) in objects
    published = {record.capture_id: record for record in replica.records()}[said["capture_id"]]
    assert (published.image_sha256, published.device_id) == (said["image_sha256"], device_id)
    assert published.image_generation == image.generation


def _assert_kept(replica: Replica, kept: dict[str, tuple[bytes, int]]) -> None:
    """An image is what its claim says, and never changes."""
    for name, (content, stored) in replica.store.objects.items():
        if name.endswith("image.jpg"):
            assert hashlib.sha256(content).hexdigest() == stored.metadata["image_sha256"]
            assert kept.setdefault(name, (content, stored.generation)) == (content, stored.generation)


def message_of(step: Sequence[int]) -> Envelope:
    """Return the message that a step stands for."""
    capture, image, _, _, parts, number, lie, damage = step
    content = IMAGES[image % len(IMAGES)]
    parts = parts % _MAX_PARTS + 1
    number %= parts
    honest = parts_of(content, parts=parts, capture_id=CAPTURE_IDS[capture % len(CAPTURE_IDS)])
    body = _damaged(honest[number].body, DAMAGES[damage % len(DAMAGES)], honest)
    untrue = _untrue(LIES[lie % len(LIES)], content, parts)
    return Envelope(attributes=dict(honest[number].attributes) | untrue, body=body)


def _untrue(lie: str, content: bytes, parts: int) -> dict[str, str]:
    lies = {
        "other sha256": {"image_sha256": hashlib.sha256(IMAGES[0] + content).hexdigest()},
        "one byte more": {"image_bytes": str(len(content) + 1)},
        "one part more": {"parts": str(parts + 1)},
        "one byte": {"image_bytes": "1"},
        "past the end": {"part": str(parts)},
        "no sha256": {"image_sha256": "x"},
    }
    return lies.get(lie, {})


def _damaged(body: bytes, damage: str, honest: list[Envelope]) -> bytes:
    match damage:
        case "flipped":
            return bytes([body[0] ^ 1]) + body[1:] if body else b"x"
        case "cut":
            return body[:-1]
        case "empty":
            return b""
        case "another part":
            return honest[0].body
        case "longer":
            return body + b"x"
    return body


def sequences() -> Bytes:
    """Draw steps at random, and honest transfers that are shuffled, repeated and disturbed."""
    small = st.integers(0, 9)
    step = st.tuples(
        st.integers(0, 2), st.integers(0, 2), st.integers(0, 1), st.integers(0, 1), small, small, small, small
    )
    whole = st.builds(_transfer, st.integers(0, 2), st.integers(0, 2), st.integers(0, 1), st.integers(0, 3))
    mixed = st.builds(lambda transfer, others: transfer + others, whole, st.lists(step, max_size=3))
    shuffled = mixed.flatmap(st.permutations)
    return (st.lists(step, max_size=8) | shuffled | st.builds(lambda a, b: [*a, *b], shuffled, whole)).map(as_json)


def _transfer(capture: int, image: int, device: int, parts: int) -> list[Step]:
    return [(capture, image, device, number % 2, parts, number, 0, 0) for number in range(parts + 1)]
