"""What the vision stage saw in one picture, pixels included: for findings, overlay and tests."""

from dataclasses import dataclass

from digiscope_cloud.vision.features import Features
from digiscope_shared.imaging.decode import FrameBgr
from digiscope_shared.imaging.masks import Mask
from digiscope_shared.imaging.quality import QualityReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How far the picture is from dermoscopic images of lesions, and from where on it is something else."""

    distance: float
    max_distance: float

    @property
    def is_lesion(self) -> bool:
        return self.distance <= self.max_distance


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """`image_bgr` and `mask` have the size that was examined; `features` is None where there is no lesion."""

    image_bgr: FrameBgr
    mask: Mask
    certainty: float
    segmenter_digest: str
    quality: QualityReport
    likeness: Likeness
    features: Features | None
    mm_per_px: float | None = None
