"""The worker's vision stage: where the lesion is, what it looks like, and whether the picture is fit to judge."""

from dataclasses import asdict, dataclass
from typing import Any, Final

import cv2
import numpy as np

from digiscope_cloud.learning.segmentation import otsu
from digiscope_cloud.vision import features, masks
from digiscope_shared.errors import PermanentError, Reason
from digiscope_shared.imaging.decode import FrameBgr
from digiscope_shared.imaging.quality import QualityReport, QualityThresholds, assess

# Below this nothing can be measured, above that nothing is gained.
MIN_SIDE_PX: Final = 32
EXAMINED_SIDE_PX: Final = 600
_DIGITS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What was seen; `image_bgr` and `mask` have the size that was examined, `features` is None without a lesion."""

    image_bgr: FrameBgr
    mask: masks.Mask
    quality: QualityReport
    features: features.Features | None


class VisionModule:
    """One instance belongs to one thread."""

    def __init__(self, *, thresholds: QualityThresholds | None = None) -> None:
        self._thresholds = thresholds or QualityThresholds()

    def examine(self, image_bgr: FrameBgr) -> dict[str, Any]:
        """Return JSON values, listed in `docs/messages.md`.

        Raises:
            PermanentError: UNREADABLE_IMAGE where the picture is too small to measure anything.
        """
        return findings(self.look(image_bgr))

    def look(self, image_bgr: FrameBgr) -> Sight:
        """Return the same with the pixels that it was measured on."""
        height, width = image_bgr.shape[:2]
        if min(height, width) < MIN_SIDE_PX:
            raise PermanentError(Reason.UNREADABLE_IMAGE, f"{width}×{height} pixels are too few to examine")
        examined_bgr = _examined(image_bgr)
        mask = otsu.segment(examined_bgr)
        return Sight(
            image_bgr=examined_bgr,
            mask=mask,
            quality=assess(image_bgr, self._thresholds),
            features=features.describe(examined_bgr, mask) if mask.any() else None,
        )


def findings(sight: Sight) -> dict[str, Any]:
    """Return what crosses to others: numbers, no pixels."""
    height, width = sight.mask.shape
    found: dict[str, Any] = {
        "picture": {"width_px": width, "height_px": height},
        "segmentation": {
            "found": sight.features is not None,
            "mask_sha256": masks.digest(sight.mask),
            "share": np.count_nonzero(sight.mask) / sight.mask.size,
        },
        "quality": {
            "fit": sight.quality.passed,
            "scores": sight.quality.scores,
            "failures": [{"code": each.code, "advice": each.advice} for each in sight.quality.failures],
        },
    }
    if sight.features is not None:
        found |= asdict(sight.features)
    return dict(_plain(found))


def _examined(image_bgr: FrameBgr) -> FrameBgr:
    scale = EXAMINED_SIDE_PX / max(image_bgr.shape[:2])
    if scale >= 1:
        return image_bgr
    height, width = (max(1, round(side * scale)) for side in image_bgr.shape[:2])
    return np.asarray(cv2.resize(image_bgr, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _plain(value: Any) -> Any:
    """Turn nested findings into JSON values with a few digits."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    # numpy's float64 is a float too, and no encoder's friend.
    return round(float(value), _DIGITS) if isinstance(value, float) else value
