"""YAML settings into frozen dataclasses; a mistake is answered with file, line and key."""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast, get_args, get_type_hints

import msgspec
import yaml

from digiscope_shared.errors import SettingsError

S = TypeVar("S")
_PATH_IN_MESSAGE = re.compile(r" - at `\$\.?(?P<path>[^`]*)`")


def load(settings_type: type[S], path: Path) -> S:
    """Read and check a settings file.

    Raises:
        SettingsError: unreadable, not YAML, an unknown key or a wrong type, with file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: can't be read: {error}") from error
    return parse(settings_type, text, source=str(path))


def parse(settings_type: type[S], text: str, *, source: str) -> S:
    """Check YAML `text` against a dataclass; `source` is named in errors."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError(f"{source}: not YAML: {error}") from error
    lines = _lines(node) if node is not None else {}
    return _checked(settings_type, {} if values is None else values, lines, source)


def from_mapping(settings_type: type[S], values: Mapping[str, Any], *, source: str) -> S:
    """Check values that came without a file, such as a desired config."""
    return _checked(settings_type, values, {}, source)


def _checked(settings_type: type[S], values: object, lines: Mapping[str, int], source: str) -> S:
    if not isinstance(values, Mapping):
        raise SettingsError(f"{source}: expected keys and values, got {type(values).__name__}")
    unknown = next(_unknown_keys(settings_type, values), None)
    if unknown is not None:
        path, known = unknown
        raise SettingsError(f"{_place(source, lines, path)}: unknown key {path!r}; known here: {', '.join(known)}")
    try:
        return msgspec.convert(dict(values), type=settings_type)
    except msgspec.ValidationError as error:
        match = _PATH_IN_MESSAGE.search(str(error))
        path = match["path"] if match else ""
        message = _PATH_IN_MESSAGE.sub("", str(error))
        raise SettingsError(f"{_place(source, lines, path)}: {path + ': ' if path else ''}{message}") from error


def _place(source: str, lines: Mapping[str, int], path: str) -> str:
    return f"{source}:{lines[path]}" if path in lines else source


def _lines(node: yaml.Node, prefix: str = "") -> dict[str, int]:
    if not isinstance(node, yaml.MappingNode):
        return {}
    found: dict[str, int] = {}
    for key, value in node.value:
        path = f"{prefix}{key.value}"
        found[path] = key.start_mark.line + 1
        found |= _lines(value, f"{path}.")
    return found


def _unknown_keys(settings_type: type[Any], values: Mapping[str, Any], prefix: str = "") -> Any:
    hints = get_type_hints(settings_type)
    for key, value in values.items():
        if key not in hints:
            yield f"{prefix}{key}", sorted(hints)
            continue
        options = (hints[key], *get_args(hints[key]))
        nested = next((option for option in options if dataclasses.is_dataclass(option)), None)
        if nested is not None and isinstance(value, Mapping):
            yield from _unknown_keys(cast("type[Any]", nested), value, f"{prefix}{key}.")
