"""Figures of a segmenter as it serves, on pictures that it was not trained on."""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from digiscope_cloud.learning.segmentation.dataset import PARTS, MaskedImages
from digiscope_cloud.vision.overlap import overlap
from digiscope_shared.imaging.decode import FrameBgr
from digiscope_shared.model_bundle import Estimate

BOOTSTRAPS: Final = 1000
Segment = Callable[[FrameBgr], NDArray[np.uint8]]


def lesion_groups(data_dir: Path) -> dict[str, str]:
    """Map image ids to lesions; images of one lesion aren't independent."""
    with (data_dir / PARTS).open(encoding="utf-8") as table:
        return {row["image_id"]: row["group_id"] for row in csv.DictReader(table)}


def figures(segment: Segment, images: MaskedImages, groups: Mapping[str, str], prefix: str) -> dict[str, Estimate]:
    """Return mean Dice and Jaccard with 95 % intervals, and the share of pictures whose Jaccard is at least 0.65."""
    scores = [overlap(segment(image), mask) for image, mask in zip(images.images_bgr, images.masks, strict=True)]
    lesions = [groups[name] for name in images.names]
    jaccard = [score.jaccard for score in scores]
    return {
        f"{prefix}.dice": estimate([score.dice for score in scores], lesions),
        f"{prefix}.jaccard": estimate(jaccard, lesions),
        f"{prefix}.jaccard_from_0_65": estimate([float(value >= 0.65) for value in jaccard], lesions),  # noqa: PLR2004 - ISIC 2018's limit
    }


def estimate(values: Sequence[float], lesions: Sequence[str], *, seed: int = 0) -> Estimate:
    """Return the mean over pictures, and its 95 % interval from bootstraps over lesions."""
    numbers = {lesion: number for number, lesion in enumerate(dict.fromkeys(lesions))}
    lesion_of = np.array([numbers[lesion] for lesion in lesions])
    totals, counts = np.bincount(lesion_of, weights=values), np.bincount(lesion_of)
    drawn = np.random.default_rng(seed).integers(len(totals), size=(BOOTSTRAPS, len(totals)))
    means = totals[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return Estimate(value=float(np.mean(values)), low=float(low), high=float(high))
