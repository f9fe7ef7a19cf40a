import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from digiscope_edge.adapters.control_socket import ControlSocket, ask
from digiscope_shared.errors import SettingsError, TransientError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agent.sock"


@pytest.fixture
def asked(path: Path) -> Iterator[list[str]]:
    """Commands that a running socket got."""
    asked: list[str] = []

    def capture() -> dict[str, object]:
        asked.append("capture")
        return {"camera": "ok"}

    def fail() -> dict[str, object]:
        raise RuntimeError("no camera")

    control = ControlSocket(path, {"capture": capture, "fail": fail})
    control.start()
    yield asked
    control.stop()
    assert not path.exists()


def test_a_command_is_answered(path: Path, asked: list[str]) -> None:
    assert ask(path, "capture") == {"ok": True, "camera": "ok"}
    assert asked == ["capture"]


def test_unknown_and_failing_commands_are_told(path: Path, asked: list[str]) -> None:
    assert ask(path, "reboot") == {"ok": False, "error": "unknown command; known: capture, fail"}
    assert ask(path, "fail") == {"ok": False, "error": "RuntimeError: no camera"}
    assert ask(path, "capture")["ok"]
    assert asked == ["capture"]


def test_only_its_user_may_ask(path: Path, asked: list[str]) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert asked == []


def test_nobody_there(path: Path) -> None:
    with pytest.raises(TransientError, match="no agent answers"):
        ask(path, "capture")


def test_a_second_agent_is_told(path: Path, asked: list[str]) -> None:
    with pytest.raises(SettingsError, match="another agent is running"):
        ControlSocket(path, {}).start()
    assert ask(path, "capture")["ok"], "the first goes on"
    assert asked == ["capture"]


def test_a_power_cut_leaves_a_socket_file(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(path))
    control = ControlSocket(path, {"capture": dict})
    control.start()
    assert ask(path, "capture") == {"ok": True}
    control.stop()


@pytest.mark.parametrize("garbage", [b"", b"x" * 1000, b"\xff\xfe\n"])
def test_garbage_leaves_it_alive(path: Path, asked: list[str], garbage: bytes) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(path))
        connection.sendall(garbage)
    assert ask(path, "capture")["ok"]
    assert asked == ["capture"]
