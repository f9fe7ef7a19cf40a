from dataclasses import dataclass, field
from pathlib import Path

import pytest

from digiscope_shared import settings_file
from digiscope_shared.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    url: str = ""
    fps: int = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    device_id: str
    camera: Camera = field(default_factory=Camera)


def test_a_good_file(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("device_id: a\ncamera:\n  fps: 5\n")
    assert settings_file.load(Settings, path) == Settings(device_id="a", camera=Camera(fps=5))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("device_id: a\ncamera:\n  fsp: 5\n", r"s\.yaml:3: unknown key 'camera\.fsp'; known here: fps, url"),
        ("device_id: a\ncamera:\n  fps: fast\n", r"s\.yaml:3: camera\.fps: Expected `int`, got `str`"),
        ("device_id: a\nextra: 1\n", r"s\.yaml:2: unknown key 'extra'"),
        ("camera: {}\n", r"s\.yaml: .*missing required field `device_id`"),
        ("- a\n", "expected keys and values"),
        ("a: [", "not YAML"),
        ("a: &b 1\nc: *b\n", "aliases aren't read here"),
        ("a: " + "[" * 100, "nested too deeply"),
        ("a: 2026-13-45", "not YAML: month must be"),
        ("a: !!int ''", "not YAML"),
        ('a: "\\ud800"', "not YAML"),
        ("", "missing required field"),
    ],
)
def test_mistakes_name_file_and_line(text: str, expected: str) -> None:
    with pytest.raises(SettingsError, match=expected):
        settings_file.parse(Settings, text, source="s.yaml")


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="can't be read"):
        settings_file.load(Settings, tmp_path / "absent.yaml")


def test_values_without_a_file() -> None:
    with pytest.raises(SettingsError, match=r"^desired config: camera\.fps: Expected `int`"):
        settings_file.from_mapping(Settings, {"device_id": "a", "camera": {"fps": "x"}}, source="desired config")
