"""Nothing personal leaves the device: canaries go in with the images, and every artefact is searched for them."""

import base64
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest
from google.cloud import pubsub_v1

from digiscope_cloud.drill.tcp_proxy import TcpProxy
from digiscope_cloud.local.servers import Mosquitto
from digiscope_cloud.settings import CloudSettings
from digiscope_shared.imaging.phantoms import draw_phantom
from digiscope_shared.pubsub_topics import UPLINK_DEAD, PubsubTopic, Subscription, dead_letter_id
from tests.support.waiting import wait_until
from tests.support.whole_system import WholeSystem

NAME, ADDRESS, GPS, SERIAL = "Mustermann", "Heidestrasse", "51.4779N", "SN4711CANARY"
CANARIES = (NAME, ADDRESS, GPS, SERIAL)
STAMP = " ".join(CANARIES).encode()


def jpeg_with_canaries(seed: int) -> bytes:
    """Put them into EXIF, XMP, IPTC, ICC, a comment, and behind the picture's end."""
    jpeg = cv2.imencode(".jpg", draw_phantom(seed))[1].tobytes()
    segments = [
        (0xE1, b"Exif\0\0MM\0*\0\0\0\x08\0\0" + STAMP),
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>" + STAMP + b"</x:xmpmeta>"),
        (0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0" + STAMP),
        (0xE2, b"ICC_PROFILE\0\x01\x01" + STAMP),
        (0xEB, b"vendor" + STAMP),
        (0xFE, STAMP),
    ]
    inserted = b"".join(bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body for marker, body in segments)
    return jpeg[:2] + inserted + jpeg[2:] + STAMP


def png_with_canaries(seed: int) -> bytes:
    """Put them into text, EXIF and unknown chunks, and behind the picture's end."""
    png = cv2.imencode(".png", draw_phantom(seed, width=400, height=300))[1].tobytes()
    bodies = {
        b"tEXt": b"Author\0" + STAMP,
        b"iTXt": b"XML:com.adobe.xmp\0\0\0\0\0" + STAMP,
        b"zTXt": b"Comment\0\0" + zlib.compress(STAMP),
        b"eXIf": b"MM\0*\0\0\0\x08\0\0" + STAMP,
        b"prVt": STAMP,
    }
    chunks = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in bodies.items()
    )
    return png[:33] + chunks + png[33:] + STAMP


class Tap:
    """Keeps every message of every Pub/Sub topic, dead letters included."""

    def __init__(self, cloud: CloudSettings) -> None:
        self._project = f"projects/{cloud.project}"
        self._subscriber = pubsub_v1.SubscriberClient()
        self.messages: list[bytes] = []
        self._topics = [*PubsubTopic, UPLINK_DEAD, *map(dead_letter_id, Subscription)]
        for name in self._topics:
            self._subscriber.create_subscription(
                name=f"{self._project}/subscriptions/{name}-tap", topic=f"{self._project}/topics/{name}"
            )

    def drain(self) -> list[bytes]:
        for name in self._topics:
            path = f"{self._project}/subscriptions/{name}-tap"
            pulled = self._subscriber.pull(subscription=path, max_messages=1000, return_immediately=True)
            for each in pulled.received_messages:
                self.messages.append(repr(dict(each.message.attributes)).encode() + each.message.data)
            if pulled.received_messages:
                ack_ids = [each.ack_id for each in pulled.received_messages]
                self._subscriber.acknowledge(subscription=path, ack_ids=ack_ids)
        return self.messages

    def close(self) -> None:
        self._subscriber.close()


@pytest.fixture
def tap(cloud: CloudSettings) -> Iterator[Tap]:
    tapped = Tap(cloud)
    yield tapped
    tapped.close()


def disguises(canary: str) -> list[bytes]:
    """As it is, in other encodings, and as Base64 would show it at each offset."""
    plain = [canary.encode(), canary.lower().encode(), canary.encode("utf-16-le"), canary.encode().hex().encode()]
    return plain + [base64.b64encode(b"x" * shift + canary.encode())[4:-4] for shift in range(3)]


def assert_clean(what: str, content: bytes) -> None:
    for canary in CANARIES:
        for disguise in disguises(canary):
            assert disguise not in content, f"{canary} in {what}"


def test_the_search_itself_finds_canaries() -> None:
    for content in (jpeg_with_canaries(1), png_with_canaries(1), base64.b64encode(b"1" + STAMP), STAMP.lower()):
        with pytest.raises(AssertionError):
            assert_clean("the original", content)


@pytest.mark.filterwarnings("ignore:The return_immediately flag:DeprecationWarning")
def test_no_artefact_of_a_capture_holds_a_canary(
    system: WholeSystem, tap: Tap, link: TcpProxy, broker: Mosquitto, tmp_path: Path
) -> None:
    link.record = bytearray()
    originals = tmp_path / NAME
    watched = originals / "watched"
    watched.mkdir(parents=True)
    given = {f"{NAME}-{ADDRESS}.jpg": jpeg_with_canaries(1), f"{SERIAL}.png": png_with_canaries(2)}
    refused = {f"{NAME}-refused.jpg": STAMP, f"{NAME}-cut.jpg": jpeg_with_canaries(3)[:900]}
    for name, content in (given | refused).items():
        (originals / name).write_bytes(content)
    (watched / f"{NAME}.jpg").write_bytes(jpeg_with_canaries(4))
    (watched / f"{NAME}-bad.jpg").write_bytes(STAMP)

    settings = system.edge_settings(broker.settings(system.device_id, port=link.port))
    path = system.write_settings("watching", settings | {"watched_folder": str(watched)})
    system.start_bridge()
    system.start_worker()
    system.start_agent(*(str(originals / name) for name in given | refused), settings=path)
    journal = path.with_suffix(".jsonl")
    wait_until(lambda: journal_has(journal, "CaptureAnswered") == 3, timeout_s=60, what="three answers")
    wait_until(lambda: journal_has(journal, "CaptureRefused") >= 3, timeout_s=20, what="three refusals")
    late = system.edge_command("capture", str(originals / f"{SERIAL}.png"), "--subject", "S-17", "--wait", "40")
    assert late.returncode == 0, late.stdout + late.stderr
    wait_until(lambda: sum(b"digiscope.result/1" in each for each in tap.drain()) >= 4, what="results on Pub/Sub")

    searched = 0
    for stored in system.store.list(""):
        assert_clean(
            f"object {stored.name}", system.store.read(stored.name)[0] + repr(system.store.find(stored.name)).encode()
        )
        searched += 1
    assert searched >= 12
    for number, message in enumerate(tap.drain()):
        assert_clean(f"Pub/Sub message {number}", message)
    assert len(bytes(link.record)) > 100_000
    assert_clean("the wire between device and broker", bytes(link.record))
    broker.save_now()
    places = (system.folder, tmp_path / "broker")
    files = [each for place in places for each in place.rglob("*") if each.is_file() and originals not in each.parents]
    # The settings name the folder that a person chose; they stay on the device.
    checked = [each for each in files if each != path]
    for each in checked:
        assert_clean(str(each.relative_to(tmp_path)), each.read_bytes() + each.name.encode())
    kinds = {each.suffix for each in checked}
    assert {".log", ".jsonl", ".sqlite3"} <= kinds
    assert (system.state_dir / "outbox.sqlite3") in checked
    # Its answer names the file to whom just typed that name; its log doesn't.
    assert_clean("the log of the command", late.stderr.encode())


def journal_has(journal: Path, event: str) -> int:
    return journal.read_bytes().count(f'"event":"{event}"'.encode()) if journal.exists() else 0
