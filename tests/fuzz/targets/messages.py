"""MQTT topics, attributes, and the JSON body of every message."""

import json
from typing import Any, Final

from hypothesis import strategies as st

from digiscope_cloud.bridge.custody import Part, read_part, record_of
from digiscope_cloud.ports import StoredObject
from digiscope_shared import codec, mqtt_topics
from digiscope_shared.codec import Envelope
from digiscope_shared.errors import PermanentError
from digiscope_shared.messages import CaptureAttributes, CaptureRecord
from tests.fuzz.json_mutation import TEXTS, as_json, bodies
from tests.fuzz.mutation import mutated
from tests.fuzz.target import Target
from tests.support.valid_messages import VALID

DOCUMENTS: Final = [{"schema": each.SCHEMA} | fields for each, fields in VALID.items()]
ATTRIBUTES: Final = codec.encode_attributes(codec.decode_json(CaptureAttributes, as_json(DOCUMENTS[1])))
_TOPICS: Final = [f"{mqtt_topics.PREFIX}/clinic-7/{channel}".encode() for channel in mqtt_topics.Channel]
_IMAGE: Final = StoredObject(name="captures/a/image.jpg", generation=1, size=1, metadata={})


def check_topic(content: bytes) -> None:
    """Parse what an MQTT client would hand over; what parses is written as it came."""
    mqtt_topic = content.decode(errors="replace")
    assert str(mqtt_topics.parse(mqtt_topic)) == mqtt_topic


def check_attributes(content: bytes) -> None:
    """Decode, and write both what goes on to the worker and what came, without a loss."""
    attributes = {sendable(name): sendable(value) for name, value in json.loads(content).items()}
    decoded = codec.decode_attributes(CaptureAttributes, attributes)
    assert codec.decode_attributes(CaptureAttributes, codec.encode_attributes(decoded)) == decoded
    part: Part = read_part("clinic-7", Envelope(attributes=attributes, body=b"x"))
    record = record_of(part, _IMAGE, uri_prefix="gs://b/", stored_at="")
    assert codec.decode_json(CaptureRecord, codec.encode_json(record)) == record


def sendable(text: str) -> str:
    """MQTT and Pub/Sub carry UTF-8: no lone surrogate ever comes out of them."""
    return text.encode("utf-8", "replace").decode()


def check_body(content: bytes) -> None:
    """Offer it to the decoder of every type: one may take it, and writes it again without a loss."""
    refusals: list[PermanentError] = []
    for message_type in VALID:
        try:
            decoded: Any = codec.decode_json(message_type, content)
        except PermanentError as error:
            refusals.append(error)
        else:
            assert codec.decode_json(message_type, codec.encode_json(decoded)) == decoded
    assert len(refusals) >= len(VALID) - 1
    if len(refusals) == len(VALID):
        raise next((error for error in refusals if error.reason != "unknown-schema"), refusals[0])


def _attribute_texts() -> st.SearchStrategy[bytes]:
    names = st.sampled_from([*ATTRIBUTES, "later"])
    nested = st.sampled_from(["[" * 2000, '{"a":1e999}', "{}", "null", '{"nv":NaN}', '{"model_digest":1}'])
    changes = st.dictionaries(names, TEXTS | nested, max_size=3)
    gone = st.sets(names, max_size=1)
    return st.builds(
        lambda changes, gone: as_json({k: v for k, v in (ATTRIBUTES | changes).items() if k not in gone}), changes, gone
    )


TARGETS: Final = (
    Target(name="topics", inputs=mutated(_TOPICS), check=check_topic),
    Target(name="attributes", inputs=_attribute_texts(), check=check_attributes, weight=8),
    Target(name="json-bodies", inputs=bodies(DOCUMENTS), check=check_body, weight=12),
)
