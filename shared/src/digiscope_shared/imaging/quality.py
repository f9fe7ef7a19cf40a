"""Is this picture fit to judge? The same gate on the device and in the worker; thresholds come from config."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import cv2
import numpy as np

from digiscope_shared.imaging import quality_scores
from digiscope_shared.imaging.decode import FrameBgr
from digiscope_shared.imaging.quality_scores import Mask

# Everything but the resolution is measured on a picture whose shorter side has this many pixels at most. No model
# looks closer, a device can afford it for each frame, and all of HAM10000 is at hand in this size (200×150) to set
# the thresholds on. Blur that is gone at this size is not seen.
WORKING_SIDE_PX: Final = 150
# A strip stays a strip, but not one of fifty megapixels whose shorter side is small already: a few kilobytes of file
# would cost a gigabyte and seconds.
_MAX_WORKING_SIDE_PX: Final = 16 * WORKING_SIDE_PX


class QualityCode(StrEnum):
    RESOLUTION = "resolution"
    BLUR = "blur"
    DARK = "dark"
    BRIGHT = "bright"
    GLARE = "glare"
    NO_LESION = "no-lesion"
    TOO_SMALL = "too-small"
    CUT_OFF = "cut-off"
    OFF_CENTRE = "off-centre"
    HAIR = "hair"
    VIGNETTE = "vignette"


ADVICE: Final = {
    QualityCode.RESOLUTION: "choose a higher resolution",
    QualityCode.BLUR: "hold still and focus",
    QualityCode.DARK: "more light",
    QualityCode.BRIGHT: "less light",
    QualityCode.GLARE: "lamp off, or tilt it away from the glass",
    QualityCode.NO_LESION: "no lesion is seen: point at it",
    QualityCode.TOO_SMALL: "move closer",
    QualityCode.CUT_OFF: "move so that the whole lesion is in the picture",
    QualityCode.OFF_CENTRE: "move the lesion to the middle",
    QualityCode.HAIR: "move the hair aside, or use gel",
    QualityCode.VIGNETTE: "the tube darkens the picture: seat it flat, or zoom in",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityThresholds:
    """Limits of a picture that is fit to judge; `digiscope-cloud quality-table` shows what they let through."""

    min_side_px: float = 100.0
    min_sharpness: float = 0.45
    min_highlights: float = 110.0
    max_brightness: float = 235.0
    max_clipped: float = 0.5
    max_glare: float = 0.015
    min_lesion_share: float = 0.006
    max_off_centre: float = 0.65
    max_cut_off: float = 0.07
    max_hair: float = 0.3
    max_vignette: float = 0.2


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


# Code, score, threshold, and whether the score must stay below it (or above).
_CHECKS: Final = (
    (QualityCode.RESOLUTION, "side_px", "min_side_px", False),
    (QualityCode.DARK, "highlights", "min_highlights", False),
    (QualityCode.BRIGHT, "brightness", "max_brightness", True),
    (QualityCode.BRIGHT, "clipped", "max_clipped", True),
    (QualityCode.GLARE, "glare", "max_glare", True),
    (QualityCode.BLUR, "sharpness", "min_sharpness", False),
    (QualityCode.TOO_SMALL, "lesion_share", "min_lesion_share", False),
    (QualityCode.CUT_OFF, "cut_off", "max_cut_off", True),
    (QualityCode.OFF_CENTRE, "off_centre", "max_off_centre", True),
    (QualityCode.HAIR, "hair", "max_hair", True),
    (QualityCode.VIGNETTE, "vignette", "max_vignette", True),
)


def assess(image_bgr: FrameBgr, thresholds: QualityThresholds, *, mask: Mask | None = None) -> QualityReport:
    """Measure and judge, any size from 1×1 on; framing only where the lesion's mask (any size) is given."""
    scores = {"side_px": float(min(image_bgr.shape[:2])), **quality_scores.of_pixels(working_size(image_bgr))}
    if mask is not None:
        scores |= quality_scores.of_framing(mask)
    return judge(scores, thresholds)


def judge(scores: dict[str, float], thresholds: QualityThresholds) -> QualityReport:
    """Compare what was measured with what is allowed; a code is told once."""
    failed = [
        code
        for code, score, threshold, is_limit in _CHECKS
        if score in scores and (scores[score] - getattr(thresholds, threshold)) * (1 if is_limit else -1) > 0
    ]
    if scores.get("lesion_share") == 0:
        failed = [QualityCode.NO_LESION, *(code for code in failed if code != QualityCode.TOO_SMALL)]
    failures = tuple(QualityFailure(code, ADVICE[code]) for code in dict.fromkeys(failed))
    return QualityReport({name: round(float(value), 4) for name, value in scores.items()}, failures)


def working_size(image_bgr: FrameBgr) -> FrameBgr:
    """Scale down by area so that the shorter side has WORKING_SIDE_PX at most; small pictures stay."""
    shorter, longer = sorted(image_bgr.shape[:2])
    scale = min(WORKING_SIDE_PX / shorter, _MAX_WORKING_SIDE_PX / longer)
    if scale >= 1:
        return image_bgr
    height, width = (max(1, round(side * scale)) for side in image_bgr.shape[:2])
    return np.asarray(cv2.resize(image_bgr, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
