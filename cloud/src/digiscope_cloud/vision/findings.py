"""What a sight becomes in a result: numbers, no pixels. `docs/messages.md` lists every field."""

from dataclasses import asdict
from typing import Any, Final

import numpy as np

from digiscope_cloud.vision.features import Features
from digiscope_cloud.vision.one_line import one_line
from digiscope_cloud.vision.sight import Sight
from digiscope_shared.imaging import masks

SCHEMA: Final = "digiscope.vision/1"
NOT_A_LESION: Final = "not a dermoscopic image of a lesion"
_DIGITS: Final = 4


def findings(sight: Sight) -> dict[str, Any]:
    """Return JSON values."""
    height, width = sight.mask.shape
    found: dict[str, Any] = {
        "schema": SCHEMA,
        "picture": {"width_px": width, "height_px": height},
        "segmentation": {
            "found": sight.features is not None,
            "segmenter_digest": sight.segmenter_digest,
            "mask_sha256": masks.digest(sight.mask),
            "share": np.count_nonzero(sight.mask) / sight.mask.size,
            "certainty": sight.certainty,
        },
        "quality": {
            "fit": sight.quality.passed,
            "scores": sight.quality.scores,
            "failures": [{"code": each.code, "advice": each.advice} for each in sight.quality.failures],
        },
        "likeness": {
            "is_lesion": sight.likeness.is_lesion,
            "distance": sight.likeness.distance,
            "max_distance": sight.likeness.max_distance,
        },
    }
    if not sight.likeness.is_lesion:
        found["likeness"]["detail"] = NOT_A_LESION
    if sight.features is not None:
        found |= _of_lesion(sight.features, sight.mm_per_px)
    plain = dict(_plain(found))
    return {**plain, "summary": one_line(plain)}


def _of_lesion(features: Features, mm_per_px: float | None) -> dict[str, Any]:
    found = asdict(features)
    found["abcd"]["only_for"] = "melanocytic lesions"
    if mm_per_px is not None:
        found["shape"]["diameter_mm"] = features.shape.diameter_px * mm_per_px
        found["shape"]["area_mm2"] = features.shape.area_px * mm_per_px**2
    return found


def _plain(value: Any) -> Any:
    """Turn nested findings into JSON values with a few digits."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    # numpy's float64 is a float too, and no encoder's friend.
    return round(float(value), _DIGITS) if isinstance(value, float) else value
