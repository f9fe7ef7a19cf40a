"""Is this picture fit to judge? The same gate on the device and in the worker; thresholds come from config."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from digiscope_shared.imaging.decode import FrameBgr

# Everything but the resolution is measured on a picture whose shorter side has this many pixels at most.
WORKING_SIDE_PX: Final = 150
_BLUR_TAPS: Final = 9


class QualityCode(StrEnum):
    RESOLUTION = "resolution"
    BLUR = "blur"
    DARK = "dark"
    BRIGHT = "bright"


ADVICE: Final = {
    QualityCode.RESOLUTION: "the picture is too small: move closer or choose a higher resolution",
    QualityCode.BLUR: "hold still and focus",
    QualityCode.DARK: "too dark: more light",
    QualityCode.BRIGHT: "too bright: less light",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityThresholds:
    """Limits of a picture that is fit to judge."""

    min_side_px: float = 100.0
    min_sharpness: float = 0.2
    min_brightness: float = 60.0
    max_brightness: float = 235.0


@dataclass(frozen=True, slots=True)
class QualityFailure:
    code: QualityCode
    advice: str


@dataclass(frozen=True, slots=True)
class QualityReport:
    """`scores` by name; `failures` in the order in which a person should mend them."""

    scores: dict[str, float]
    failures: tuple[QualityFailure, ...]

    @property
    def passed(self) -> bool:
        return not self.failures


def assess(image_bgr: FrameBgr, thresholds: QualityThresholds) -> QualityReport:
    """Measure and judge; any size from 1×1 on."""
    working_bgr = working_size(image_bgr)
    grey = cv2.cvtColor(working_bgr, cv2.COLOR_BGR2GRAY).astype(np.float32)
    scores = {
        "side_px": float(min(image_bgr.shape[:2])),
        "sharpness": sharpness(grey),
        "brightness": float(np.median(grey)),
    }
    checks = (
        (QualityCode.RESOLUTION, scores["side_px"] < thresholds.min_side_px),
        (QualityCode.DARK, scores["brightness"] < thresholds.min_brightness),
        (QualityCode.BRIGHT, scores["brightness"] > thresholds.max_brightness),
        (QualityCode.BLUR, scores["sharpness"] < thresholds.min_sharpness),
    )
    failures = tuple(QualityFailure(code, ADVICE[code]) for code, failed in checks if failed)
    return QualityReport({name: round(value, 4) for name, value in scores.items()}, failures)


def working_size(image_bgr: FrameBgr) -> FrameBgr:
    """Scale down by area so that the shorter side has WORKING_SIDE_PX; small pictures stay."""
    scale = WORKING_SIDE_PX / min(image_bgr.shape[:2])
    if scale >= 1:
        return image_bgr
    height, width = (max(1, round(side * scale)) for side in image_bgr.shape[:2])
    return np.asarray(cv2.resize(image_bgr, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def sharpness(grey: NDArray[np.float32]) -> float:
    """Return 0 (blurred) to 1: how much of the neighbours' difference a second blur takes away, on the worse axis.

    Crété-Roffet et al., "The blur effect", SPIE 6492 (2007), doi:10.1117/12.702790; independent of contrast.
    """
    return min(_sharpness_along(grey, axis) for axis in (0, 1))


def _sharpness_along(grey: NDArray[np.float32], axis: int) -> float:
    taps = (1, _BLUR_TAPS) if axis == 0 else (_BLUR_TAPS, 1)  # OpenCV: width first
    blurred = cv2.blur(grey, taps)
    difference = np.abs(np.diff(grey, axis=axis))
    lost = np.maximum(0, difference - np.abs(np.diff(blurred, axis=axis)))
    total = float(difference.sum())
    return float(lost.sum()) / total if total > 0 else 0.0
