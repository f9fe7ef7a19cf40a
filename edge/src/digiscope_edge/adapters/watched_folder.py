"""Takes images that another program (a dermatoscope's app, a file share, rsync) puts into a folder.

    FOLDER/name.jpg ──► FOLDER/.taking/name.jpg ──► FOLDER/done/name.jpg  or  FOLDER/refused/name.jpg
                                                └─► back to FOLDER (no room now: tried again later)

A rename is the note of how far a file came, so a restart neither forgets nor repeats one. A file is complete when its
size and time have stood still for `settle_s`. Polled: inotify sees nothing that another machine writes to a share.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import structlog

from digiscope_edge.ports import SourceImage
from digiscope_shared.messages.capture import MAX_IMAGE_BYTES

log = structlog.get_logger()

TAKING, DONE, REFUSED = ".taking", "done", "refused"
# What programs call a file that they are still writing.
UNFINISHED: Final = frozenset({".part", ".tmp", ".partial", ".crdownload", ".filepart"})
# A camera's raw file may be larger than what is sent; beyond this it isn't even read.
MAX_FILE_BYTES: Final = 2 * MAX_IMAGE_BYTES


class FolderOutcome(StrEnum):
    """What became of a file that was handed over."""

    TAKEN = "taken"
    REFUSED = "refused"
    LATER = "later"


@dataclass(frozen=True, slots=True)
class _Seen:
    size: int
    mtime_ns: int
    since_s: float


class WatchedFolder:
    """Hands each complete file to `take`, in name order, on a thread of its own.

    `was_taken` is asked at start about files that a power cut caught between hand-over and note.
    """

    def __init__(
        self,
        folder: Path,
        *,
        take: Callable[[SourceImage], FolderOutcome],
        was_taken: Callable[[SourceImage], bool],
        poll_s: float = 0.5,
        settle_s: float = 1.0,
        retry_s: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._take = take
        self._was_taken = was_taken
        self._poll_s = poll_s
        self._settle_s = settle_s
        self._retry_s = retry_s
        self._clock = clock
        self._seen: dict[str, _Seen] = {}
        self._paused_until_s = float("-inf")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watched-folder", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, deadline_s: float = 2.0) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(deadline_s)

    def recover(self) -> None:
        """Settle what a power cut left in `.taking`; called once, before the first `scan`."""
        for name in (TAKING, DONE, REFUSED):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        for path in sorted((self._folder / TAKING).iterdir()):
            taken = self._was_taken(self._read(path))
            self._move(path, DONE if taken else "")
            # Not the name: it may be a patient's.
            log.info("folder_file_recovered", taken=taken)

    def scan(self) -> None:
        """Look once: hand over what is complete."""
        found = {path.name: path for path in sorted(self._folder.iterdir()) if _is_candidate(path)}
        self._seen = {name: seen for name, seen in self._seen.items() if name in found}
        for path in found.values():
            if self._stopping.is_set() or self._clock() < self._paused_until_s:
                return
            if self._is_complete(path):
                self._hand_over(path)

    def _run(self) -> None:
        recovered = False
        while not self._stopping.is_set():
            try:
                if not recovered:
                    self.recover()
                    recovered = True
                self.scan()
            except OSError as error:
                # A share that went away comes back; the camera and the uplink go on.
                log.warning("folder_unreadable", folder=str(self._folder), error=error.strerror)
                self._stopping.wait(self._retry_s)
            except Exception:  # the thread's outermost edge: one file's fault must not end the watch
                log.exception("folder_scan_failed", folder=str(self._folder))
                self._stopping.wait(self._retry_s)
            self._stopping.wait(self._poll_s)

    def _is_complete(self, path: Path) -> bool:
        stat, now_s = path.stat(), self._clock()
        seen = self._seen.get(path.name)
        if seen is None or (seen.size, seen.mtime_ns) != (stat.st_size, stat.st_mtime_ns):
            self._seen[path.name] = _Seen(stat.st_size, stat.st_mtime_ns, now_s)
            return self._settle_s <= 0
        return now_s - seen.since_s >= self._settle_s

    def _hand_over(self, path: Path) -> None:
        taking = self._move(path, TAKING)
        outcome = self._take(self._read(taking))
        self._move(
            taking, {FolderOutcome.TAKEN: DONE, FolderOutcome.REFUSED: REFUSED, FolderOutcome.LATER: ""}[outcome]
        )
        if outcome is FolderOutcome.LATER:
            self._paused_until_s = self._clock() + self._retry_s

    def _read(self, path: Path) -> SourceImage:
        with path.open("rb") as file:
            # One byte more than allowed: the intake refuses it by its size, and memory stays bounded.
            # Not its name either; a refused file lies in `refused`, where a person finds it.
            return SourceImage(source="folder", content=file.read(MAX_FILE_BYTES + 1))

    def _move(self, path: Path, subfolder: str) -> Path:
        """Rename into the subfolder; a name that is there already gets a number."""
        target = self._folder / subfolder / path.name
        number = 1
        while target.exists():
            number += 1
            target = target.with_name(f"{path.stem}-{number}{path.suffix}")
        return path.rename(target)


def _is_candidate(path: Path) -> bool:
    hidden = path.name.startswith((".", "~"))
    return not hidden and path.suffix.lower() not in UNFINISHED and path.is_file() and not path.is_symlink()
