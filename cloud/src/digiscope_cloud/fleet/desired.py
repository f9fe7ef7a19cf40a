"""The desired half of a device's shadow: how it changes, and how it is sent. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from digiscope_shared.codec import Envelope, encode_json
from digiscope_shared.errors import SettingsError
from digiscope_shared.messages import DesiredConfig, DeviceState
from digiscope_shared.mqtt_topics import Channel
from digiscope_shared.settings_file import read_yaml
from digiscope_shared.signing import SigningKey, sign_config
from digiscope_shared.traceparent import new_traceparent


def parse_changes(assignments: Sequence[str]) -> dict[str, Any]:
    """Parse `dotted.key=value`, values as YAML; null takes the key out.

    Raises:
        SettingsError: one isn't `key=value`, or its value can't be JSON.
    """
    return dict(map(_parse_change, assignments))


def _parse_change(assignment: str) -> tuple[str, Any]:
    key, equals, text = assignment.partition("=")
    if not equals or not all(key.split(".")):
        raise SettingsError(f"expected key=value, got {assignment!r}")
    value = read_yaml(text, source=key)
    if not _goes_as_json(value):
        raise SettingsError(f"{key}: {text[:80]!r} can't be sent as JSON")
    if value is None or isinstance(value, bool | int | float | str | list):
        return key, value
    raise SettingsError(f"{key}: expected a number, a word, true, false, null or a list, got {text!r}")


def _goes_as_json(value: Any) -> bool:
    """Tell whether a device would read what was written: infinity, dates and lone surrogates get lost on the way."""
    try:
        return bool(msgspec.json.decode(msgspec.json.encode(value)) == value)
    except (TypeError, ValueError, RecursionError):
        return False


def next_desired(
    current: DesiredConfig | None, changes: Mapping[str, Any], model_digest: str | None = None
) -> DesiredConfig:
    """Return the config after `changes`, one version up; what isn't named stays."""
    base = current or DesiredConfig(version=1)
    config = base.config
    for key, value in changes.items():
        config = _with(config, key.split("."), value)
    return DesiredConfig(
        version=current.version + 1 if current else 1,
        config=config,
        model_digest=base.model_digest if model_digest is None else model_digest,
    )


def _with(config: Mapping[str, Any], path: Sequence[str], value: Any) -> dict[str, Any]:
    key, *rest = path
    if rest:
        below = config.get(key)
        value = _with(below if isinstance(below, Mapping) else {}, rest, value) or None
    return {name: kept for name, kept in config.items() if name != key} | ({} if value is None else {key: value})


def signed(desired: DesiredConfig, device_id: str, key: SigningKey | None) -> DesiredConfig:
    """Return it with the fleet's signature for this device; as it is without a key."""
    if key is None:
        return desired
    fields = msgspec.json.decode(encode_json(desired), type=dict[str, Any])
    return replace(desired, signature=sign_config(key, device_id, fields))


def directive(device_id: str, body: bytes) -> Envelope:
    """Return what the bridge puts on the device's retained `config`: `body` is the desired config as it is stored."""
    return Envelope(
        attributes={
            "schema": DesiredConfig.SCHEMA,
            "device_id": device_id,
            "channel": Channel.CONFIG,
            "traceparent": new_traceparent(),
        },
        body=body,
    )


def is_behind(state: DeviceState, desired: DesiredConfig) -> bool:
    """Tell whether the device has neither applied nor refused what is desired of it."""
    refused = state.config_refused is not None and state.config_refused.version == desired.version
    return state.config_version < desired.version and not refused
