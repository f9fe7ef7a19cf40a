"""What the gate and the likeness threshold let through, counted."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from digiscope_cloud.learning.segmentation import dataset, evaluation, otsu
from digiscope_cloud.learning.vision_tables.faults import FAULTS
from digiscope_cloud.learning.vision_tables.strangers import all_strangers
from digiscope_cloud.vision.image_files import read_images
from digiscope_shared.imaging import masks
from digiscope_shared.imaging.decode import FrameBgr, decode_bgr
from digiscope_shared.imaging.quality import QualityThresholds, assess
from digiscope_shared.litert.segmenter import LiteRtSegmenter
from digiscope_shared.model_bundle import Estimate


@dataclass(slots=True)
class Row:
    """`refused` of `pictures`, and how often for which reason."""

    pictures: int = 0
    refused: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def share(self) -> float:
        return self.refused / max(1, self.pictures)

    def add(self, reasons: Iterable[str]) -> None:
        told = list(reasons)
        self.pictures += 1
        self.refused += bool(told)
        self.reasons.update(told)


def quality_rows(segmenter: LiteRtSegmenter, data_dir: Path, thresholds: QualityThresholds) -> dict[str, Row]:
    """Judge the val part as it is, with each fault planted, and the samples at full size."""
    images = dataset.load(data_dir, "val")
    rows = {"val, 200×150": Row(), **{name: Row() for name in FAULTS}, "samples, 600×450": Row()}
    for number, (image_bgr, mask) in enumerate(zip(images.images_bgr, images.masks, strict=True)):
        rows["val, 200×150"].add(_reasons(segmenter, image_bgr, thresholds))
        for name, (_, fault) in FAULTS.items():
            broken = fault(image_bgr, mask, np.random.default_rng(number))
            rows[name].add(_reasons(segmenter, broken, thresholds))
    test = set(dataset.image_ids(data_dir, "test"))
    for name, content in read_images(data_dir / "samples_600x450.zip"):
        if name not in test:
            rows["samples, 600×450"].add(_reasons(segmenter, decode_bgr(content), thresholds))
    return rows


def likeness_rows(segmenter: LiteRtSegmenter, data_dir: Path, thresholds: QualityThresholds) -> dict[str, Row]:
    """Judge lesions of the val part and what is none: by distance, or by the gate."""
    sets = {"lesions, val": list(dataset.load(data_dir, "val").images_bgr), **all_strangers()}
    rows = {name: Row() for name in sets}
    for name, images in sets.items():
        for image_bgr in images:
            far = segmenter.bundle.look.distance(segmenter.segment(image_bgr).embedding)
            reasons = ["not a lesion"] if far > segmenter.bundle.look.max_distance else []
            rows[name].add(reasons + [f"gate: {code}" for code in _reasons(segmenter, image_bgr, thresholds)])
    return rows


def segmenter_figures(segmenter: LiteRtSegmenter, data_dir: Path) -> dict[str, Estimate]:
    """Measure Dice and Jaccard on the parts that have masks and were not trained on."""
    groups = evaluation.lesion_groups(data_dir)
    figures: dict[str, Estimate] = {}
    for part in ("val", "cal"):
        images = dataset.load(data_dir, part)
        figures |= evaluation.figures(lambda image_bgr: _mask(segmenter, image_bgr), images, groups, part)
        figures |= evaluation.figures(otsu.segment, images, groups, f"{part}.otsu")
    return figures


def _mask(segmenter: LiteRtSegmenter, image_bgr: FrameBgr) -> masks.Mask:
    height, width = image_bgr.shape[:2]
    return masks.lesion_mask(segmenter.segment(image_bgr).probabilities, width=width, height=height)


def _reasons(segmenter: LiteRtSegmenter, image_bgr: FrameBgr, thresholds: QualityThresholds) -> list[str]:
    report = assess(image_bgr, thresholds, mask=_mask(segmenter, image_bgr))
    return [str(failure.code) for failure in report.failures]
