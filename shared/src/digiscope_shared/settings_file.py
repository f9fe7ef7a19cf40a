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
_MAX_DEPTH = 32
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
    node, values = _read(text, source)
    lines = _lines(node) if node is not None else {}
    return _checked(settings_type, {} if values is None else values, lines, source)


def read_yaml(text: str, *, source: str) -> Any:
    """Return what one YAML document says; SettingsError where it isn't one, or refers to itself."""
    return _read(text, source)[1]


class _PlainLoader(yaml.SafeLoader):
    """Reads no aliases, half a kilobyte of which unfolds into more than fits into memory, and nothing very deep."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        problem = "aliases aren't read here" if self.check_event(yaml.AliasEvent) else ""
        problem = "nested too deeply" if self.depth > _MAX_DEPTH else problem
        if problem:
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=self.get_mark())
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_scalar(self, node: Any) -> Any:
        value = super().construct_scalar(node)
        # An escape can say half a character, which nothing behind this could write.
        value.encode()
        return value


def _read(text: str, source: str) -> tuple[yaml.Node | None, Any]:
    try:
        loader = _PlainLoader(text)
        node = loader.get_single_node()
        return node, None if node is None else loader.construct_document(node)
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
        # PyYAML lets through what Python says of a month 13, of an `!!int` without digits, of a date that is none.
        raise SettingsError(f"{source}: not YAML: {error}") from error


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
