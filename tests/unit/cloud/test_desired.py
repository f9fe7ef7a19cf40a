"""How a desired config changes and when it is sent again."""

from typing import Any

import pytest

from digiscope_cloud.fleet.desired import directive, is_behind, next_desired, parse_changes
from digiscope_shared.codec import decode_json
from digiscope_shared.errors import SettingsError
from digiscope_shared.lifecycle import DeviceLifecycle
from digiscope_shared.messages import ConfigRefusal, DesiredConfig, DeviceState


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=1", 1),
        ("a=1.5", 1.5),
        ("a=true", True),
        ("a=word", "word"),
        ("a=null", None),
        ("a=[1, x]", [1, "x"]),
        ("a='1'", "1"),
        ("a=b=c", "b=c"),
        ("a=", None),
    ],
)
def test_values_are_yaml(text: str, value: Any) -> None:
    assert parse_changes([text]) == {"a": value}


@pytest.mark.parametrize("text", ["a", "=1", "a..b=1", ".a=1", "a={b: 1}", "a=.nan", "a=.inf", "a=[", "a=2026-01-01"])
def test_what_can_not_be_sent_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        parse_changes([text])


def test_the_first_version_is_one() -> None:
    assert next_desired(None, {"quality.min_sharpness": 40}) == DesiredConfig(
        version=1, config={"quality": {"min_sharpness": 40}}
    )


def test_what_is_not_named_stays() -> None:
    current = DesiredConfig(version=3, config={"quality": {"a": 1, "b": 2}, "c": 3}, model_digest="m")
    changed = next_desired(current, {"quality.a": 9, "d.e.f": True})
    assert changed.version == 4
    assert changed.config == {"quality": {"b": 2, "a": 9}, "c": 3, "d": {"e": {"f": True}}}
    assert changed.model_digest == "m"
    assert current.config == {"quality": {"a": 1, "b": 2}, "c": 3}


def test_null_takes_a_key_out_and_what_it_leaves_empty() -> None:
    current = DesiredConfig(version=1, config={"quality": {"a": 1}, "c": 3})
    assert next_desired(current, {"quality.a": None}).config == {"c": 3}
    assert next_desired(current, {"nowhere.at.all": None}).config == current.config


def test_a_model_can_be_desired_and_taken_back() -> None:
    current = next_desired(None, {}, "m" * 64)
    assert current.model_digest == "m" * 64
    assert next_desired(current, {}, "").model_digest == ""


def test_a_directive_carries_the_stored_bytes() -> None:
    body = b'{"schema":"digiscope.config/1","version":2}'
    envelope = directive("site-1", body)
    assert envelope.body == body
    assert decode_json(DesiredConfig, envelope.body).version == 2
    assert envelope.attributes.keys() == {"schema", "device_id", "channel", "traceparent"}
    assert (envelope.attributes["device_id"], envelope.attributes["channel"]) == ("site-1", "config")


@pytest.mark.parametrize(
    ("version", "refused", "behind"), [(0, None, True), (4, None, True), (5, None, False), (4, 5, False), (4, 4, True)]
)
def test_who_is_behind(version: int, refused: int | None, behind: bool) -> None:  # noqa: FBT001, parametrized
    state = DeviceState(
        lifecycle=DeviceLifecycle.READY,
        boot_id="b",
        config_version=version,
        config_refused=ConfigRefusal(version=refused, detail="") if refused else None,
    )
    assert is_behind(state, DesiredConfig(version=5)) is behind
