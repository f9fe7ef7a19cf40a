"""DigiScope's own commands as subprocesses: ready when their log says so."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from digiscope_cloud.local.server_process import ServerProcess


def command_path(name: str) -> str:
    """Return a command that was installed beside this Python."""
    return str(Path(sys.executable).parent / name)


class CloudProcess(ServerProcess):
    """`digiscope-cloud ARGUMENTS…`; `ready_mark` is what its log holds once it is at work."""

    def __init__(
        self, name: str, run_dir: Path, *, arguments: Sequence[str], environment: Mapping[str, str], ready_mark: str
    ) -> None:
        super().__init__(name, run_dir)
        self._arguments = list(arguments)
        self._environment = environment
        self._ready_mark = ready_mark.encode()
        self._log_from = 0

    def command(self) -> Sequence[str]:
        return [command_path("digiscope-cloud"), *self._arguments]

    def added_environment(self) -> Mapping[str, str]:
        return self._environment

    def spawn(self) -> None:
        # The log goes on over restarts: only what this run writes tells that it is ready.
        self._log_from = self.log_path.stat().st_size if self.log_path.exists() else 0
        super().spawn()

    def is_ready(self) -> bool:
        with self.log_path.open("rb") as log:
            log.seek(self._log_from)
            return self._ready_mark in log.read()


class AgentProcess(ServerProcess):
    """`digiscope-edge run` on one settings file; its journal is its own account of what happened.

    With `files` it ends by itself when they are answered, or at the deadline.
    """

    def __init__(
        self,
        device_id: str,
        run_dir: Path,
        settings_path: Path,
        *,
        foreground: bool = False,
        files: Sequence[Path] = (),
        deadline_s: float = 120.0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(device_id, run_dir)
        self._environment = environment or {}
        self.journal_path = run_dir / f"{device_id}.events.jsonl"
        self._settings_path = settings_path
        self._in_foreground = foreground
        self._files = files
        self._deadline_s = deadline_s

    @property
    def in_foreground(self) -> bool:
        return self._in_foreground

    def added_environment(self) -> Mapping[str, str]:
        return self._environment

    def command(self) -> Sequence[str]:
        settings = ["--settings", str(self._settings_path), "run", "--journal", str(self.journal_path)]
        files = [*map(str, self._files), "--exit-when-answered", "--deadline", str(self._deadline_s)]
        return [command_path("digiscope-edge"), *settings, *(files if self._files else [])]

    def is_ready(self) -> bool:
        return self.journal_path.exists()
