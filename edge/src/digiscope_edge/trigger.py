"""When to capture: somebody asked, by key or command, or the picture has come to rest. Pure; time is passed in."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import cv2
import numpy as np

from digiscope_edge.camera_settings import SteadySettings
from digiscope_edge.ports import FrameBgr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Thumbnail: TypeAlias = NDArray[np.uint8]

THUMBNAIL_PX: Final = (64, 48)


def thumbnail(frame_bgr: FrameBgr) -> "Thumbnail":
    """Return the frame in grey at 64×48: averaging over blocks takes the sensor's noise out."""
    small_bgr = cv2.resize(frame_bgr, THUMBNAIL_PX, interpolation=cv2.INTER_AREA)
    grey: Thumbnail = cv2.cvtColor(small_bgr, cv2.COLOR_BGR2GRAY)
    return grey


def difference(one: "Thumbnail", other: "Thumbnail") -> float:
    """Return the mean absolute difference in grey levels, 0 to 255."""
    return float(np.mean(cv2.absdiff(one, other)))


@dataclass(slots=True)
class SteadinessTrigger:
    """Fires once when the picture has rested for `steady_s`, and again only after it has moved.

    Compared with the picture at the beginning of the rest, not with the last one: slow drift is movement.
    """

    settings: SteadySettings
    _rest: "Thumbnail | None" = None
    _rest_since_s: float = 0.0
    _armed: bool = True

    def observe(self, frame_bgr: FrameBgr, now_s: float) -> bool:
        """Take the next frame; return True where a capture is due."""
        if not self.settings.enabled:
            return False
        grey = thumbnail(frame_bgr)
        moved_by = difference(grey, self._rest) if self._rest is not None else float("inf")
        if moved_by >= (self.settings.threshold if self._armed else self.settings.movement):
            self._rest, self._rest_since_s, self._armed = grey, now_s, True
            return False
        if not self._armed or now_s - self._rest_since_s < self.settings.steady_s:
            return False
        self._armed = False
        return True


@dataclass(slots=True)
class AskedTrigger:
    """Holds one wish for a capture until a fresh frame comes or its time is over. A second wish joins the first."""

    timeout_s: float
    _asked_at_s: float | None = None

    @property
    def waiting(self) -> bool:
        return self._asked_at_s is not None

    def ask(self, now_s: float) -> None:
        if self._asked_at_s is None:
            self._asked_at_s = now_s

    def take(self, frame_at_s: float) -> bool:
        """Return True, and forget the wish, where this frame is younger than the wish: never an earlier patient's."""
        if self._asked_at_s is None or frame_at_s < self._asked_at_s:
            return False
        self._asked_at_s = None
        return True

    def expired(self, now_s: float) -> bool:
        """Return True, and forget the wish, where it waited too long."""
        if self._asked_at_s is None or now_s - self._asked_at_s < self.timeout_s:
            return False
        self._asked_at_s = None
        return True
