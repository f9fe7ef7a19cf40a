"""One agent a state directory: an advisory lock that ends with its process, however it ends."""

import fcntl
import os
from pathlib import Path
from typing import Self

from digiscope_shared.errors import DigiScopeError


class StateDirTakenError(DigiScopeError):
    """Another agent runs on this state directory."""


class StateDirLock:
    """Held as a context manager. The directory is made where it is missing."""

    def __init__(self, state_dir: Path) -> None:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = state_dir / "agent.lock"
        self._descriptor = -1

    def __enter__(self) -> Self:
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            raise StateDirTakenError(f"another agent already works in {self._path.parent}") from error
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def is_running(state_dir: Path) -> bool:
    """Tell whether an agent holds the lock; never takes it (`/proc/locks` names its inode)."""
    try:
        inode = (state_dir / "agent.lock").stat().st_ino
        locks = Path("/proc/locks").read_text(encoding="ascii")
    except OSError:
        return False
    return any(line.split()[5].endswith(f":{inode}") for line in locks.splitlines() if len(line.split()) > 5)  # noqa: PLR2004
