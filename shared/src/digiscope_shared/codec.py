"""The one codec: frozen dataclasses to and from string attributes and JSON bodies.

A reader ignores fields and attributes that it doesn't know and refuses a major version that it doesn't know.
"""

import dataclasses
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, Protocol, TypeVar, get_args, get_type_hints

import msgspec

from digiscope_shared.errors import PermanentError, Reason


class Message(Protocol):
    """Anything with a schema: `name/major`."""

    SCHEMA: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Any]]


M = TypeVar("M", bound=Message)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What MQTT 5 and Pub/Sub have in common: string attributes and a body."""

    attributes: Mapping[str, str]
    body: bytes = b""


def encode_json(message: Message) -> bytes:
    """Return UTF-8 JSON with `schema` first."""
    return msgspec.json.encode({"schema": message.SCHEMA} | msgspec.to_builtins(message))


def decode_json(message_type: type[M], body: bytes) -> M:
    """Decode a JSON body.

    Raises:
        PermanentError: `bad-body` where it isn't JSON or doesn't fit, `unknown-schema` where it is something else.
    """
    try:
        fields = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise PermanentError(Reason.BAD_BODY, f"not JSON: {error}") from error
    except RecursionError as error:
        raise PermanentError(Reason.BAD_BODY, "nested too deeply") from error
    if not isinstance(fields, dict):
        raise PermanentError(Reason.BAD_BODY, "not a JSON object")
    _check_schema(message_type, fields.get("schema"))
    return _convert(message_type, fields, Reason.BAD_BODY, strict=True)


def encode_attributes(message: Message) -> dict[str, str]:
    """Return string attributes; what is None, or empty by default, is left out, what is nested becomes JSON."""
    attributes = {"schema": message.SCHEMA}
    for name, value in msgspec.to_builtins(message).items():
        if value is None or (value == "" and message.__dataclass_fields__[name].default == ""):
            continue
        nested = isinstance(value, dict | list)
        attributes[name] = msgspec.json.encode(value).decode() if nested else str(value)
    return attributes


def decode_attributes(message_type: type[M], attributes: Mapping[str, str]) -> M:
    """Decode string attributes.

    Raises:
        PermanentError: `bad-attributes` where one is missing or doesn't fit, `unknown-schema`.
    """
    _check_schema(message_type, attributes.get("schema"))
    nested = _nested_fields(message_type)
    fields: dict[str, Any] = {}
    for name in message_type.__dataclass_fields__.keys() & attributes.keys():
        text = attributes[name]
        try:
            fields[name] = msgspec.json.decode(text) if name in nested else text
        except (msgspec.DecodeError, RecursionError) as error:
            raise PermanentError(Reason.BAD_ATTRIBUTES, f"{name} is not JSON: {error}") from error
    return _convert(message_type, fields, Reason.BAD_ATTRIBUTES, strict=False)


def schema_name(schema: str) -> str:
    """Return what stands before the major version: what a reader of several message types branches on."""
    return schema.partition("/")[0]


def _check_schema(message_type: type[M], schema: object) -> None:
    if schema != message_type.SCHEMA:
        shown = repr(schema)[:80] if schema is not None else "none"
        raise PermanentError(Reason.UNKNOWN_SCHEMA, f"expected {message_type.SCHEMA}, got {shown}")


def _convert(message_type: type[M], fields: dict[str, Any], reason: Reason, *, strict: bool) -> M:
    try:
        return msgspec.convert(fields, type=message_type, strict=strict)
    except msgspec.ValidationError as error:
        raise PermanentError(reason, str(error)) from error


@cache
def _nested_fields(message_type: type[Any]) -> frozenset[str]:
    hints = get_type_hints(message_type)
    return frozenset(
        name
        for name, hint in hints.items()
        if any(
            getattr(option, "__origin__", option) in (dict, list, tuple) or dataclasses.is_dataclass(option)
            for option in (hint, *get_args(hint))
        )
    )
