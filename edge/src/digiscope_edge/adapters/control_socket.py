"""Commands to a running agent from another terminal: a Unix socket that its own user alone may open.

A request is one word and a newline, the reply one line of JSON: `capture` → `{"ok": true}`.
"""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import structlog

from digiscope_shared.errors import SettingsError, TransientError

log = structlog.get_logger()

MAX_REQUEST_BYTES: Final = 256
MAX_REPLY_BYTES: Final = 1024 * 1024
# Somebody who connects and says nothing holds the next one up for so long.
PATIENCE_S: Final = 2.0

# Takes nothing, returns what JSON can say.
Answer = Callable[[], dict[str, Any]]


class ControlSocket:
    """Answers one request at a time, on a thread of its own."""

    def __init__(self, path: Path, answers: Mapping[str, Answer]) -> None:
        self._path = path
        self._answers = answers
        self._listener: socket.socket | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="control-socket", daemon=True)

    def start(self) -> None:
        """Listen; SettingsError where another agent answers here already, or the path is unusable."""
        if is_answering(self._path):
            raise SettingsError(f"{self._path}: another agent is running on this folder; stop it first")
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(str(self._path))
        except OSError as error:
            listener.close()
            raise SettingsError(f"{self._path}: can't listen here: {error}") from error
        self._path.chmod(0o600)
        listener.listen(4)
        self._listener = listener
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._listener is None:
            return
        # A connection of our own ends `accept`, which closing the socket from here would not.
        is_answering(self._path)
        self._thread.join(PATIENCE_S + 1)
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _run(self) -> None:
        assert self._listener is not None, "started"
        while not self._stopping.is_set():
            connection, _ = self._listener.accept()
            with connection:
                connection.settimeout(PATIENCE_S)
                with contextlib.suppress(OSError):
                    self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        request = _read_line(connection, MAX_REQUEST_BYTES).decode(errors="replace")
        if request:
            connection.sendall(json.dumps(self._answer(request)).encode() + b"\n")

    def _answer(self, request: str) -> dict[str, Any]:
        answer = self._answers.get(request)
        if answer is None:
            return {"ok": False, "error": f"unknown command; known: {', '.join(sorted(self._answers))}"}
        try:
            return {"ok": True} | answer()
        except Exception as error:  # the thread's outermost edge: one failed command must not end the socket
            log.exception("control_command_failed", command=request)
            return {"ok": False, "error": f"{type(error).__name__}: {error}"}


def ask(path: Path, request: str, *, timeout_s: float = 5.0) -> dict[str, Any]:
    """Send a request to the agent that listens at `path`; TransientError where none answers."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_s)
            connection.connect(str(path))
            connection.sendall(request.encode() + b"\n")
            reply: dict[str, Any] = json.loads(_read_line(connection, MAX_REPLY_BYTES))
            return reply
    except (OSError, ValueError) as error:
        raise TransientError(f"no agent answers at {path}: {error}") from error


def is_answering(path: Path) -> bool:
    """Return whether somebody listens at `path`; a socket file left by a power cut doesn't."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PATIENCE_S)
        with contextlib.suppress(OSError):
            probe.connect(str(path))
            return True
    return False


def _read_line(connection: socket.socket, limit_bytes: int) -> bytes:
    """Return bytes up to the first newline, `limit_bytes`, or the end."""
    received = b""
    while len(received) < limit_bytes and b"\n" not in received:
        chunk = connection.recv(65536)
        if not chunk:
            break
        received += chunk
    return received.partition(b"\n")[0]
