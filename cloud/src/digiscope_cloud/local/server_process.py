"""One server as a subprocess: started in a process group of its own, waited for, logged to a file, stopped by pid."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from digiscope_cloud.local.undisturbed import undisturbed
from digiscope_shared.errors import TransientError

READY_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 10.0
POLL_S = 0.02
LOWEST_PRIORITY = 19


class ServerNotReadyError(TransientError):
    """It ended or did not answer in time; the message carries the end of its log."""


def free_port() -> int:
    """Return a TCP port on loopback that nobody held a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


class ServerProcess:
    """A server that can be started, stopped, killed and started again on the same port and state."""

    name: str
    log_path: Path

    def __init__(self, name: str, run_dir: Path) -> None:
        run_dir.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.log_path = run_dir / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def command(self) -> Sequence[str]:
        """Return the program and its arguments."""
        raise NotImplementedError

    def added_environment(self) -> Mapping[str, str]:
        """Return what its environment has on top of ours."""
        return {}

    @property
    def in_foreground(self) -> bool:
        """Tell whether it draws on our terminal and takes its keys; then it shares our process group."""
        return False

    def is_ready(self) -> bool:
        """Tell whether it answers as itself; asked again and again until it does."""
        return True

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} was not started"
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs, and before it was started."""
        return self._process.poll() if self._process is not None else None

    def yield_processor(self) -> None:
        """Let it run, from now on, only where nobody else wants the processor."""
        for thread in psutil.Process(self.pid).threads():
            os.setpriority(os.PRIO_PROCESS, thread.id, LOWEST_PRIORITY)

    def start(self) -> None:
        """Start and return when it is ready.

        Raises:
            ServerNotReadyError: where it ends or is not ready within 30 s; it is stopped then.
        """
        self.spawn()
        try:
            self.wait_ready()
        except BaseException:
            self.kill()
            raise

    def spawn(self) -> None:
        """Start without waiting, so that several servers come up side by side; `wait_ready` follows."""
        own_terminal = self.in_foreground
        with self.log_path.open("ab") as log, undisturbed():
            self._process = subprocess.Popen(  # noqa: S603 the command is ours
                list(self.command()),
                stdin=None if own_terminal else subprocess.DEVNULL,
                stdout=None if own_terminal else log,
                stderr=log,
                env=os.environ | dict(self.added_environment()),
                # A session of its own: Ctrl-C at the terminal reaches us alone, and we end servers in order.
                start_new_session=not own_terminal,
            )

    def wait_ready(self, timeout_s: float = READY_TIMEOUT_S) -> None:
        if not becomes_true(lambda: self.exit_code is not None or self.is_ready(), timeout_s):
            raise ServerNotReadyError(f"{self.name} did not answer within {timeout_s:g} s\n{self.log_tail()}")
        if self.exit_code is not None:
            raise ServerNotReadyError(f"{self.name} ended with exit code {self.exit_code}\n{self.log_tail()}")

    def wait_ended(self, timeout_s: float | None = None) -> bool:
        """Wait for its own end, for ever where no time is given; False where it still runs then."""
        if self._process is None:
            return True
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """End it in order; kill it where it takes longer."""
        if self._process is None:
            return
        self.send_signal(signal.SIGTERM)
        if not self.wait_ended(timeout_s):
            self.kill()

    def kill(self) -> None:
        """End it as a power cut does: SIGKILL, to its whole group."""
        if self._process is None:
            return
        if self.exit_code is None and self.in_foreground:
            self._process.kill()
        elif self.exit_code is None:
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def send_signal(self, number: signal.Signals) -> None:
        if self._process is not None and self.exit_code is None:
            self._process.send_signal(number)

    def restart(self) -> None:
        """Start it again, in order, on the same port and state."""
        self.stop()
        self.start()

    def log_tail(self, lines: int = 15) -> str:
        text = self.log_path.read_text(encoding="utf-8", errors="replace") if self.log_path.exists() else ""
        return "\n".join([f"the end of {self.log_path}:", *text.splitlines()[-lines:]])


def becomes_true(predicate: Callable[[], object], timeout_s: float) -> bool:
    deadline_s = time.monotonic() + timeout_s
    while not predicate():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(POLL_S)
    return True
