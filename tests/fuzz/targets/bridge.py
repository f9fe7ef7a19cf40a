"""Devices' messages through the whole bridge, on fakes; and what goes the other way."""

import json
import threading
from datetime import UTC, datetime
from typing import Any, Final

from hypothesis import strategies as st

from digiscope_cloud.bridge.downlink import Downlink
from digiscope_cloud.dead_letters.letter import Letter
from digiscope_cloud.dead_letters.writing import REASON, DeadLetters
from digiscope_cloud.fleet.events_desk import EventsDesk
from digiscope_cloud.fleet.shadow import Shadows
from digiscope_shared import mqtt_topics
from digiscope_shared.codec import Envelope
from digiscope_shared.errors import PermanentError, Reason
from digiscope_shared.mqtt import packets
from digiscope_shared.mqtt_topics import PREFIX, Channel
from digiscope_shared.pubsub_topics import UPLINK_DEAD, PubsubTopic
from tests.fuzz.json_mutation import TEXTS, as_json, bodies
from tests.fuzz.target import Bytes, Target
from tests.fuzz.targets.messages import ATTRIBUTES, DOCUMENTS, sendable
from tests.fuzz.targets.part_sequences import check_sequence, sequences
from tests.support.bridge_fakes import FakeDeviceDownlink
from tests.support.bridge_replica import Replica
from tests.support.fake_object_store import FakeObjectStore
from tests.support.fake_pubsub import FakeDelivery, FakeEventPublisher, FakePubsub

_EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
_REASONS: Final = frozenset(Reason)
_CHANNELS: Final = [f"{PREFIX}/clinic-7/{channel}" for channel in Channel] + ["", "x", f"{PREFIX}/A/state"]
_ROUTES: Final = {"device_id": "clinic-7", "channel": "config", "expiry_s": "60", "tail": "", "schema": "s/1"}


def check_event(content: bytes) -> str | None:
    """Hand it to the bridge and what comes out to the fleet: passed on, or put aside for a reason of its own."""
    message = _envelope(content)
    mqtt_topic = message.attributes.get("mqtt_topic", "")
    replica = Replica()
    assert replica.handle(message, mqtt_topic=mqtt_topic, fault=message.attributes.get("fault", "")).count == 1
    passed_on = replica.pubsub.on_topic(PubsubTopic.DEVICE_EVENTS)
    dead = replica.dead()
    assert len(dead) + len(passed_on) + len(replica.records()) <= 1
    for letter in dead:
        assert letter.attributes[REASON] in _REASONS, letter.attributes
        assert letter.body == message.body
    store = FakeObjectStore()
    fleet = EventsDesk(Shadows(store, FakeEventPublisher()), store)
    for event in passed_on:
        fleet.answer(event)
        fleet.answer(event)
    return dead[0].attributes[REASON] if dead else None


def check_dead_letter(content: bytes) -> str | None:
    """Put it aside: Pub/Sub would take it, and the message in it is what came unless it says that it isn't."""
    message = _envelope(content)
    pubsub = FakePubsub()
    error = PermanentError(Reason.BAD_BODY, message.attributes.get("detail", ""))
    DeadLetters(FakeEventPublisher(pubsub), UPLINK_DEAD).bury(message, error)
    (published,) = pubsub.on_topic(UPLINK_DEAD)
    letter = Letter(place=UPLINK_DEAD, message_id="1", since=_EPOCH, envelope=published)
    assert (letter.reason, letter.message.body) == (Reason.BAD_BODY, message.body)
    assert letter.damage or letter.message.attributes == message.attributes
    return letter.damage and "cut to fit"


def check_directive(content: bytes) -> str | None:
    """Send it down as a result and as a directive: taken by MQTT's own writer, or put aside."""
    message = _envelope(content)
    pubsub = FakePubsub()
    downlink = Downlink(devices=_WritingDownlink(), publisher=FakeEventPublisher(pubsub), stopping=threading.Event())
    for take in (downlink.take_result, downlink.take_directive):
        delivery = FakeDelivery(envelope=message)
        take(delivery)
        assert not delivery.nacked, "a fault of ours"
    return "dead letter" if len(pubsub.published) > 1 else None


class _WritingDownlink(FakeDeviceDownlink):
    """Writes the properties, as the session would."""

    def publish(self, mqtt_topic: str, envelope: Envelope, *, expiry_s: int | None = None, **_: Any) -> None:
        properties: Any = packets.publish_properties(envelope.attributes, expiry_s=expiry_s)
        assert len(properties.pack()) <= packets.packet_bytes(mqtt_topic, envelope)


def _envelope(content: bytes) -> Envelope:
    """Read an input: attributes, and a body in Latin-1, so that any bytes fit into JSON."""
    fields = json.loads(content)
    attributes = {sendable(name): sendable(value) for name, value in fields["attributes"].items()}
    return Envelope(attributes=attributes, body=fields["body"].encode("latin-1"))


def _envelopes(attributes: st.SearchStrategy[dict[str, str]], message_bodies: Bytes) -> Bytes:
    return st.builds(
        lambda attributes, body: as_json({"attributes": attributes, "body": body.decode("latin-1")}),
        attributes,
        message_bodies,
    )


def _changed(valid: list[dict[str, str]], values: st.SearchStrategy[str] = TEXTS) -> st.SearchStrategy[dict[str, str]]:
    names = st.sampled_from(sorted({name for each in valid for name in each})) | TEXTS
    many = st.integers(0, 120).map(lambda count: {f"a{number}": "v" * 20 for number in range(count)})
    changes = st.dictionaries(names, values, max_size=3) | many
    return st.builds(lambda base, changed: base | changed, st.sampled_from(valid), changes)


_UPLINK: Final = [f"{PREFIX}/clinic-7/{channel}" for channel in mqtt_topics.UPLINK]
_EVENTS: Final = [{"mqtt_topic": topic, "schema": "s/1"} for topic in (*sorted(_UPLINK) * 4, *_CHANNELS)]
_REQUEST: Final = {"mqtt_topic": f"{PREFIX}/clinic-7/responses", "schema": "digiscope.result-request/1"}
_PART: Final = ATTRIBUTES | {"mqtt_topic": f"{PREFIX}/clinic-7/captures", "parts": "1", "image_bytes": "1"}

TARGETS: Final = (
    Target(name="part-sequences", inputs=sequences(), check=check_sequence, refusals=(), weight=8),
    Target(
        name="uplink-events",
        inputs=_envelopes(_changed([*_EVENTS, _REQUEST, _PART]), bodies(DOCUMENTS)),
        check=check_event,
        weight=8,
    ),
    Target(
        name="dead-letters",
        inputs=_envelopes(_changed([ATTRIBUTES | {"detail": "d"}]), st.binary(max_size=100)),
        check=check_dead_letter,
        refusals=(),
    ),
    Target(
        name="directives",
        inputs=_envelopes(
            _changed([_ROUTES], TEXTS | st.sampled_from([*Channel, "0" * 12 + "9" * 5000])), st.binary(max_size=50)
        ),
        check=check_directive,
        refusals=(),
    ),
)
