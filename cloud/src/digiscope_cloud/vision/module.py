"""The worker's vision stage: where the lesion is, what it looks like, and whether the picture is fit to judge."""

from typing import Any, Final

import cv2
import numpy as np

from digiscope_cloud.vision import features
from digiscope_cloud.vision.findings import findings
from digiscope_cloud.vision.sight import Likeness, Sight
from digiscope_shared.errors import PermanentError, Reason
from digiscope_shared.imaging import masks
from digiscope_shared.imaging.decode import FrameBgr
from digiscope_shared.imaging.quality import QualityThresholds, assess
from digiscope_shared.litert.segmenter import LiteRtSegmenter
from digiscope_shared.segmenter_bundle import DEFAULT_BUNDLE, load_segmenter

# Below this nothing can be measured, above that nothing is gained.
MIN_SIDE_PX: Final = 32
EXAMINED_SIDE_PX: Final = 600
_THRESHOLDS: Final = QualityThresholds()


class VisionModule:
    """One instance belongs to one thread."""

    def __init__(self) -> None:
        self._segmenter = LiteRtSegmenter(load_segmenter(DEFAULT_BUNDLE))
        self._segmenter.verify_golden()

    @property
    def segmenter_digest(self) -> str:
        return self._segmenter.bundle.digest

    def examine(self, image_bgr: FrameBgr, frame_width_mm: float | None = None) -> dict[str, Any]:
        """Return JSON values, listed in `docs/messages.md`.

        Raises:
            PermanentError: UNREADABLE_IMAGE where the picture is too small to measure anything.
        """
        return findings(self.look(image_bgr, frame_width_mm))

    def look(self, image_bgr: FrameBgr, frame_width_mm: float | None = None) -> Sight:
        """Return the same with the pixels that it was measured on.

        `frame_width_mm`: what the optics show from left to right, where known; it turns pixels into millimetres.
        """
        examined_bgr = examined_size(image_bgr)
        height, width = examined_bgr.shape[:2]
        segmentation = self._segmenter.segment(examined_bgr)
        mask = masks.lesion_mask(segmentation.probabilities, width=width, height=height)
        look = self._segmenter.bundle.look
        return Sight(
            image_bgr=examined_bgr,
            mask=mask,
            certainty=masks.certainty(segmentation.probabilities),
            segmenter_digest=self.segmenter_digest,
            quality=assess(image_bgr, _THRESHOLDS, mask=mask),
            likeness=Likeness(distance=look.distance(segmentation.embedding), max_distance=look.max_distance),
            features=features.describe(examined_bgr, mask) if mask.any() else None,
            mm_per_px=frame_width_mm / width if frame_width_mm else None,
        )


def examined_size(image_bgr: FrameBgr) -> FrameBgr:
    """Scale down by area so that the longer side has EXAMINED_SIDE_PX; small pictures stay.

    Raises:
        PermanentError: UNREADABLE_IMAGE where a side is, or becomes, shorter than MIN_SIDE_PX.
    """
    scale = min(1.0, EXAMINED_SIDE_PX / max(image_bgr.shape[:2]))
    height, width = (round(side * scale) for side in image_bgr.shape[:2])
    if min(height, width) < MIN_SIDE_PX:
        size = f"{image_bgr.shape[1]}×{image_bgr.shape[0]} pixels"
        raise PermanentError(Reason.UNREADABLE_IMAGE, f"{size} can't be examined: too few, or too narrow a strip")
    if scale == 1:
        return image_bgr
    return np.asarray(cv2.resize(image_bgr, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
