"""Whatever arrives, a decoder answers with a message or with a PermanentError, and with nothing else."""

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digiscope_shared import codec, mqtt_topics
from digiscope_shared.errors import PermanentError
from digiscope_shared.messages import CaptureAttributes, Receipt
from digiscope_shared.mqtt_topics import Channel, DeviceTopic
from tests.support.valid_messages import VALID

TEXT = st.text(max_size=40) | st.from_regex(r"-?\d{1,40}(\.\d+)?(e\d+)?", fullmatch=True) | st.sampled_from("[{")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=4,
)
every_message = pytest.mark.parametrize("message_type", VALID, ids=lambda each: each.__name__)
briefly = settings(max_examples=30, deadline=None)


def over(message_type: Any, values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    names = st.sampled_from([*sorted(message_type.__dataclass_fields__), "schema", "later"])
    return st.dictionaries(names, values, max_size=2)


@every_message
def test_what_is_valid_decodes(message_type: Any) -> None:
    codec.decode_json(message_type, msgspec.json.encode({"schema": message_type.SCHEMA} | VALID[message_type]))


@briefly
@given(changes=over(CaptureAttributes, TEXT))
def test_attributes(changes: dict[str, str]) -> None:
    body = msgspec.json.encode({"schema": CaptureAttributes.SCHEMA} | VALID[CaptureAttributes])
    valid = codec.encode_attributes(codec.decode_json(CaptureAttributes, body))
    with suppress(PermanentError):
        decoded = codec.decode_attributes(CaptureAttributes, valid | changes)
        assert codec.decode_attributes(CaptureAttributes, codec.encode_attributes(decoded)) == decoded


@every_message
@briefly
@given(data=st.data())
def test_json_bodies(message_type: Any, data: st.DataObject) -> None:
    changes = data.draw(over(message_type, JSON))
    body = msgspec.json.encode({"schema": message_type.SCHEMA} | VALID[message_type] | changes)
    with suppress(PermanentError):
        decoded = codec.decode_json(message_type, body)
        assert codec.decode_json(message_type, codec.encode_json(decoded)) == decoded


@briefly
@given(body=st.binary(max_size=200))
def test_bytes(body: bytes) -> None:
    with pytest.raises(PermanentError):
        codec.decode_json(Receipt, body)


@briefly
@given(mqtt_topic=st.text(max_size=200) | st.text(max_size=100).map(lambda rest: f"{mqtt_topics.PREFIX}/{rest}"))
def test_topics(mqtt_topic: str) -> None:
    with suppress(PermanentError):
        assert str(mqtt_topics.parse(mqtt_topic)) == mqtt_topic


@briefly
@given(
    device_id=st.from_regex(r"[a-z0-9][a-z0-9._-]{0,62}", fullmatch=True),
    channel=st.sampled_from(Channel),
    tail=st.from_regex(r"[A-Za-z0-9._-]{1,128}", fullmatch=True),
)
def test_topics_that_are_ours_parse_back(device_id: str, channel: Channel, tail: str) -> None:
    with_tail = channel in (Channel.MODEL, Channel.COMMANDS)
    topic = DeviceTopic(device_id=device_id, channel=channel, tail=tail if with_tail else "")
    assert mqtt_topics.parse(str(topic)) == topic
