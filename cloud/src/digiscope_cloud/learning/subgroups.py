"""Figures by sex, age band and site: where a good average hides a bad part."""

from collections import defaultdict
from typing import Any, Final

import numpy as np

from digiscope_cloud.learning import metrics
from digiscope_cloud.learning.datasets.examples import Example
from digiscope_cloud.learning.model_card import Subgroup
from digiscope_cloud.learning.part_data import LABELS, PartData
from digiscope_shared.lesions import MALIGNANT

_AGE_BAND: Final = 20
_SMALLEST: Final = 20


def subgroups(data: PartData, probabilities: Any) -> tuple[Subgroup, ...]:
    """Return subgroups of at least 20 images, by name."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, example in enumerate(data.examples):
        for name in _names(example):
            rows[name].append(row)
    return tuple(
        _subgroup(name, data.classes[numbers], probabilities[numbers])
        for name, numbers in sorted(rows.items())
        if len(numbers) >= _SMALLEST
    )


def _subgroup(name: str, classes: Any, probabilities: Any) -> Subgroup:
    malignant = np.array([label in MALIGNANT for label in LABELS])
    area = metrics.auroc(malignant[classes], probabilities[:, malignant].sum(axis=1))
    return Subgroup(
        name=name,
        images=len(classes),
        balanced_accuracy=metrics.balanced_accuracy(classes, probabilities.argmax(axis=1)),
        malignant_auroc=None if np.isnan(area) else area,
    )


def _names(example: Example) -> list[str]:
    low = None if example.age is None else int(example.age // _AGE_BAND * _AGE_BAND)
    return [
        f"age {'unknown' if low is None else f'{low} to {low + _AGE_BAND - 1}'}",
        f"sex {example.sex or 'unknown'}",
        f"site {example.site or 'unknown'}",
    ]
