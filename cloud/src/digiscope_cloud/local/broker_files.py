"""Mosquitto's files for a local run: the shipped configuration with other ports and places, and a password file."""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from digiscope_shared.errors import SettingsError

# `mosquitto_passwd -U` writes $7$iterations$salt$hash: PBKDF2 with SHA-512. Made here, so that no password stands in a
# command line, where every user of the machine could read it.
_ITERATIONS: Final = 101
_SALT_BYTES: Final = 12
_HASH_BYTES: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerPorts:
    tls: int
    plain: int
    websockets: int


def render(shipped: str, *, ports: BrokerPorts, places: Mapping[str, str]) -> str:
    """Return the shipped configuration with other ports, and with `places` (option name to value) put in.

    Raises:
        SettingsError: where the shipped file lacks one of these lines or has it twice.
    """
    wanted = {
        "listener 8883": f"listener {ports.tls} 127.0.0.1",
        "listener 1883": f"listener {ports.plain} 127.0.0.1",
        "listener 9001": f"listener {ports.websockets} 127.0.0.1",
    } | {option: f"{option} {value}" for option, value in places.items()}
    lines = shipped.splitlines()
    for start, replacement in wanted.items():
        lines[_only_line(lines, start)] = replacement
    return "\n".join(lines) + "\n"


def _only_line(lines: list[str], start: str) -> int:
    numbers = [number for number, line in enumerate(lines) if f"{line} ".startswith(f"{start} ")]
    if len(numbers) != 1:
        raise SettingsError(f"mosquitto.conf: expected one line that starts with {start!r}, found {len(numbers)}")
    return numbers[0]


def password_line(identity: str, password: str) -> str:
    """Return a line of Mosquitto's password file."""
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ITERATIONS, _HASH_BYTES)
    return f"{identity}:$7${_ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}\n"


def write_private(path: Path, content: str | bytes) -> None:
    """Write a file that nobody else may read, not even for a moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
