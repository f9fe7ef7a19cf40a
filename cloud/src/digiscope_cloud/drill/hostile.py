"""What no device of ours sends: repeats, poison, and the files that a power cut leaves behind."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Final

from digiscope_cloud.adapters.pubsub_publisher import PubsubPublisher
from digiscope_cloud.drill.site import Site
from digiscope_shared import object_names
from digiscope_shared.capture_ids import new_capture_id
from digiscope_shared.codec import Envelope, encode_attributes
from digiscope_shared.messages import CaptureAttributes
from digiscope_shared.mqtt.link_status import LinkState, LinkStatus
from digiscope_shared.mqtt.packets import IncomingMessage
from digiscope_shared.mqtt.session import MqttSession
from digiscope_shared.mqtt_topics import PREFIX, Channel, DeviceTopic
from digiscope_shared.pubsub_topics import PubsubTopic
from digiscope_shared.traceparent import new_traceparent

CONNECT_TIMEOUT_S: Final = 20.0
POISON_MS: Final = 1


@contextmanager
def session_beside(
    site: Site,
    identity: str,
    on_message: Callable[[IncomingMessage], None] | None = None,
    topic_filters: tuple[str, ...] = (),
) -> Iterator[MqttSession]:
    """Connect as an identity of this site, beside whoever else uses it, over the plain listener."""
    connected = threading.Event()

    def on_link(status: LinkStatus) -> None:
        if status.state is LinkState.CONNECTED:
            connected.set()

    session = MqttSession(
        site.system.mosquitto.settings(identity),
        client_id=f"drill-beside-{identity}",
        topic_filters=topic_filters,
        on_message=on_message or _ack,
        on_link=on_link,
    )
    session.start()
    try:
        connected.wait(CONNECT_TIMEOUT_S)
        yield session
    finally:
        session.stop(2.0)


def _ack(message: IncomingMessage) -> None:
    message.ack()


@contextmanager
def repeat_parts(site: Site) -> Iterator[None]:
    """Listen to all captures and publish each part again as its device would, in another order."""
    held: list[IncomingMessage] = []
    lock = threading.Lock()

    def take(message: IncomingMessage) -> None:
        message.ack()
        with lock:
            held.append(message)

    with session_beside(site, "bridge", take, (f"{PREFIX}/+/{Channel.CAPTURES}",)):
        yield
    site.rng.shuffle(held)
    for device in site.devices:
        own = str(DeviceTopic(device_id=device.device_id, channel=Channel.CAPTURES))
        with session_beside(site, device.device_id) as session:
            for message in held:
                if message.mqtt_topic == own:
                    session.publish(own, message.envelope)


def repeat_records_and_results(site: Site) -> None:
    """Publish every capture record and every result of the bucket once more."""
    bucket = site.bucket()
    with site.system.google_environment():
        publisher = PubsubPublisher(site.system.settings)
    for found in bucket.list(object_names.CAPTURES):
        is_record, is_result = found.name.endswith("/capture.json"), "/results/" in found.name
        if not (is_record or is_result):
            continue
        capture_id = found.name.split("/")[1]
        if capture_id in site.poison:
            continue
        body, _ = bucket.read(found.name)
        topic = PubsubTopic.CAPTURES if is_record else PubsubTopic.RESULTS
        publisher.publish(topic, Envelope(attributes=site.attributes_of(body), body=body))


def send_poison(site: Site) -> None:
    """As one of the devices: an image that is none, a wrong hash, an unknown schema, a part that can't be."""
    device = site.rng.choice(site.devices)
    topic = str(DeviceTopic(device_id=device.device_id, channel=Channel.CAPTURES))
    with session_beside(site, device.device_id) as session:
        for envelope in _poison(site):
            session.publish(topic, envelope)


def _poison(site: Site) -> Iterator[Envelope]:
    body = site.rng.randbytes(4000)
    good = CaptureAttributes(
        capture_id=_poison_id(site),
        part=0,
        parts=1,
        image_sha256=sha256(body).hexdigest(),
        image_bytes=len(body),
        content_type="image/jpeg",
        captured_at="",
        boot_id="poison",
        sequence=1,
        traceparent=new_traceparent(),
    )
    yield Envelope(attributes=encode_attributes(good), body=body)
    wrong = replace(good, capture_id=_poison_id(site), image_sha256="0" * 64)
    yield Envelope(attributes=encode_attributes(wrong), body=body)
    unknown = encode_attributes(replace(good, capture_id=_poison_id(site))) | {"schema": "digiscope.capture/99"}
    yield Envelope(attributes=unknown, body=body)
    late = encode_attributes(replace(good, capture_id=_poison_id(site))) | {"part": "7"}
    yield Envelope(attributes=late, body=body)
    yield Envelope(attributes={}, body=b"")


def _poison_id(site: Site) -> str:
    capture_id = new_capture_id(POISON_MS)
    site.poison.add(capture_id)
    return capture_id


def leave_torn_files(state_dir: Path, rng: random.Random) -> None:
    """Leave what a power cut leaves: a half-written image without a row, and a torn end of SQLite's log.

    Rows that were committed are on the disk (`synchronous=FULL`), so nothing of theirs is torn.
    """
    images = next((folder for folder in state_dir.rglob("images") if folder.is_dir()), state_dir)
    (images / f"{new_capture_id(POISON_MS)}.jpg").write_bytes(rng.randbytes(rng.randrange(1, 5000)))
    for log in state_dir.rglob("*-wal"):
        with log.open("ab") as file:
            file.write(rng.randbytes(rng.randrange(1, 3000)))
