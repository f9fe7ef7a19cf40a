"""Is the camera alive? A table of steps, and the pace of restarts; no camera, no thread, no clock of its own.

            fresh frame
   idle ───────────────► ok ──── stalled ───► frozen
    ▲ │                  ▲ │                   │ │
    │ └─ lost, stalled ┐ │ └─ lost ─► gone ◄───┘ │ (restarted at a pace; a fresh frame leads back to ok)
    │                  └─│───────────► │         │
    └──── released ──────┴─────────────┴─────────┘

idle: nobody asked for frames, or none has come yet      frozen: it stays open and shows the same picture, or none
ok: fresh frames come                                    gone: it can't be opened, or went away
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from digiscope_shared.backoff import Backoff
from digiscope_shared.messages import CameraHealth


class CameraState(StrEnum):
    IDLE = "idle"
    OK = "ok"
    FROZEN = "frozen"
    GONE = "gone"


class CameraEvent(StrEnum):
    """What was seen of the camera: events, past tense."""

    FRESH_FRAME_SEEN = "fresh-frame-seen"
    STALLED = "stalled"
    LOST = "lost"
    RELEASED = "released"


_S, _E = CameraState, CameraEvent
STEPS: Final[dict[tuple[CameraState, CameraEvent], CameraState]] = {
    (_S.IDLE, _E.FRESH_FRAME_SEEN): _S.OK,
    (_S.OK, _E.FRESH_FRAME_SEEN): _S.OK,
    (_S.FROZEN, _E.FRESH_FRAME_SEEN): _S.OK,
    (_S.GONE, _E.FRESH_FRAME_SEEN): _S.OK,
    # A camera that never gave a frame isn't frozen: it isn't there.
    (_S.IDLE, _E.STALLED): _S.GONE,
    (_S.OK, _E.STALLED): _S.FROZEN,
    (_S.FROZEN, _E.STALLED): _S.FROZEN,
    (_S.GONE, _E.STALLED): _S.GONE,
    (_S.IDLE, _E.LOST): _S.GONE,
    (_S.OK, _E.LOST): _S.GONE,
    (_S.FROZEN, _E.LOST): _S.GONE,
    (_S.GONE, _E.LOST): _S.GONE,
    (_S.IDLE, _E.RELEASED): _S.IDLE,
    (_S.OK, _E.RELEASED): _S.IDLE,
    (_S.FROZEN, _E.RELEASED): _S.IDLE,
    (_S.GONE, _E.RELEASED): _S.IDLE,
}


@dataclass(slots=True, kw_only=True)
class CameraWatchdog:
    """Told what was seen, tells when to open again. `clock` is monotonic, in seconds.

    `identical_is_frozen` is false for a video file, whose maker may have meant it to stand still.
    """

    clock: Callable[[], float]
    frozen_after_s: float = 10.0
    # Frames must have come for so long before the pace of restarts starts anew.
    stable_after_s: float = 30.0
    identical_is_frozen: bool = True
    backoff: Backoff = field(default_factory=lambda: Backoff(base_s=1.0, cap_s=60.0, floor_s=0.5))
    state: CameraState = CameraState.IDLE
    detail: str = "not opened yet"
    restarts: int = 0
    _failed: bool = False
    _open_at_s: float = float("-inf")
    _progress_at_s: float = 0.0
    _ok_since_s: float | None = None

    @property
    def health(self) -> CameraHealth:
        return CameraHealth(state=self.state, detail=self.detail, restarts=self.restarts)

    def may_open(self) -> bool:
        return self.clock() >= self._open_at_s

    def opened(self) -> None:
        """Count a restart if the last one failed, and start waiting for frames."""
        self.restarts += self._failed
        self._failed = False
        self._progress_at_s = self.clock()
        self._ok_since_s = None

    def frame_seen(self, *, identical: bool) -> bool:
        """Take note of a frame and return whether it is fresh: a capture may be made of it."""
        if identical and self.identical_is_frozen:
            return False
        self._progress_at_s = self.clock()
        self._step(CameraEvent.FRESH_FRAME_SEEN, "")
        if self._ok_since_s is None:
            self._ok_since_s = self._progress_at_s
        elif self._progress_at_s - self._ok_since_s >= self.stable_after_s:
            self.backoff.reset()
        return True

    def stalled(self) -> bool:
        """Return True, once for each opening, when nothing fresh has come for `frozen_after_s`: open it anew."""
        if self._failed or self.clock() - self._progress_at_s < self.frozen_after_s:
            return False
        self._step(CameraEvent.STALLED, f"no fresh frame for {self.frozen_after_s:g} s: frozen, or covered")
        self._schedule_restart()
        return True

    def lost(self, detail: str) -> None:
        self._step(CameraEvent.LOST, detail)
        self._schedule_restart()

    def released(self, detail: str) -> None:
        """Nobody wants frames now: idle is not dead, and the next wish opens at once."""
        self._step(CameraEvent.RELEASED, detail)
        self._failed = False
        self._open_at_s = float("-inf")

    def _step(self, event: CameraEvent, detail: str) -> None:
        self.state = STEPS[self.state, event]
        self.detail = detail

    def _schedule_restart(self) -> None:
        self._failed = True
        self._open_at_s = self.clock() + self.backoff.next_delay_s()
