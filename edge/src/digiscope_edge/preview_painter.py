"""What the person who holds the camera sees live: the lesion's outline and what to do better. Pure."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

import cv2
import numpy as np

from digiscope_edge.ports import FrameBgr
from digiscope_shared.imaging.masks import lesion_mask
from digiscope_shared.imaging.quality import QualityThresholds, assess
from digiscope_shared.lesions import DISCLAIMER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float32]
else:
    Floats: TypeAlias = Any

SIDE_PX: Final = 640
READY: Final = "ready: press to capture"
_GOOD_BGR: Final = (80, 255, 80)
_POOR_BGR: Final = (60, 170, 255)
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX


class Segmentation(Protocol):
    @property
    def probabilities(self) -> Floats: ...


class Segmenter(Protocol):
    """Tells each pixel's probability of lesion, over the whole frame at the model's own size."""

    def segment(self, image_bgr: FrameBgr, /) -> Segmentation: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A frame to show, its longer side SIDE_PX at most, and the advice that is written on it; empty when it is fit."""

    picture_bgr: FrameBgr
    advice: tuple[str, ...]


class PreviewPainter:
    """One instance belongs to one thread."""

    def __init__(self, segmenter: Segmenter, thresholds: QualityThresholds) -> None:
        self._segmenter = segmenter
        self._thresholds = thresholds

    def paint(self, frame_bgr: FrameBgr) -> Preview:
        picture_bgr = _shown_size(frame_bgr)
        height, width = picture_bgr.shape[:2]
        mask = lesion_mask(self._segmenter.segment(picture_bgr).probabilities, width=width, height=height)
        report = assess(frame_bgr, self._thresholds, mask=mask)
        advice = tuple(failure.advice for failure in report.failures)
        drawn = picture_bgr.copy()
        colour = _POOR_BGR if advice else _GOOD_BGR
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        cv2.polylines(drawn, contours, True, colour, 2, cv2.LINE_AA)
        _write(drawn, advice[0] if advice else READY, colour)
        return Preview(picture_bgr=drawn, advice=advice)


def _shown_size(frame_bgr: FrameBgr) -> FrameBgr:
    scale = min(1.0, SIDE_PX / max(frame_bgr.shape[:2]))
    size = (max(1, round(frame_bgr.shape[1] * scale)), max(1, round(frame_bgr.shape[0] * scale)))
    return np.asarray(cv2.resize(frame_bgr, size, interpolation=cv2.INTER_AREA), np.uint8) if scale < 1 else frame_bgr


def _write(drawn: FrameBgr, text: str, colour: tuple[int, int, int]) -> None:
    height, width = drawn.shape[:2]
    cv2.rectangle(drawn, (0, height - 44), (width, height), (20, 20, 20), -1)
    cv2.putText(drawn, text, (10, height - 24), _FONT, 0.6, colour, 1, cv2.LINE_AA)
    cv2.putText(drawn, DISCLAIMER, (10, height - 7), _FONT, 0.4, (200, 200, 200), 1, cv2.LINE_AA)
