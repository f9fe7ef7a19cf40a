"""How well two masks agree."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Overlap:
    """Both 0 (apart) to 1 (same); two empty masks agree."""

    dice: float
    jaccard: float


def overlap(mask: Mask, truth: Mask) -> Overlap:
    """Compare what isn't 0 in masks of one size (Dice 1945, doi:10.2307/1932409; Jaccard 1912)."""
    inside, true = mask > 0, truth > 0
    both, total = int(np.count_nonzero(inside & true)), int(np.count_nonzero(inside)) + int(np.count_nonzero(true))
    if total == 0:
        return Overlap(1.0, 1.0)
    return Overlap(2 * both / total, both / (total - both))
