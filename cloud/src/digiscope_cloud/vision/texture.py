"""Texture of a lesion from its lightness: co-occurrence and local binary patterns, both by scikit-image."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.feature import graycomatrix, graycoprops, local_binary_pattern

Mask = NDArray[np.uint8]
_LEVELS: Final = 32
# Lightness (L*) around the lesion's median that the levels span.
_SPAN: Final = 40.0
_ANGLES: Final = (0.0, np.pi / 4, np.pi / 2, 3 * np.pi / 4)
_POINTS: Final = 8
# Evenly picked pixels: enough for a median, and sorting all costs.
_MEDIAN_OF: Final = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Texture:
    """Means over four directions at a distance of one pixel (Haralick et al. 1973, doi:10.1109/TSMC.1973.4309314).

    `patterns` is the histogram of the ten uniform rotation-invariant patterns (Ojala et al. 2002,
    doi:10.1109/TPAMI.2002.1017623).
    """

    contrast: float
    homogeneity: float
    energy: float
    correlation: float
    entropy: float
    patterns: tuple[float, ...]


def describe(lightness: NDArray[np.float32], mask: Mask) -> Texture:
    """Measure one lesion; `lightness` is L* (0 to 100), the mask must not be empty."""
    x, y, width, height = cv2.boundingRect(mask)
    box = np.s_[y : y + height, x : x + width]
    inside = mask[box] > 0
    lightness = lightness[box]
    pairs = _co_occurrence(lightness, inside)
    probabilities = pairs[..., 0, :].mean(axis=-1)
    used = probabilities[probabilities > 0]
    contrast, homogeneity, energy, correlation = (
        float(graycoprops(pairs, name).mean()) for name in ("contrast", "homogeneity", "energy", "correlation")
    )
    return Texture(
        contrast=contrast,
        homogeneity=homogeneity,
        energy=energy,
        correlation=correlation,
        entropy=float(-(used * np.log2(used)).sum()),
        patterns=_patterns(lightness, inside),
    )


def _co_occurrence(lightness: NDArray[np.float32], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return levels × levels × 1 × angles, normalised, of pairs whose pixels are both inside."""
    within = lightness[inside]
    middle = np.median(within[:: max(1, len(within) // _MEDIAN_OF)])
    relative = (lightness - middle + _SPAN) / (2 * _SPAN)
    levels = np.clip(relative * _LEVELS, 0, _LEVELS - 1).astype(np.uint8) + np.uint8(1)
    levels[~inside] = 0
    pairs = graycomatrix(levels, [1], _ANGLES, levels=_LEVELS + 1, symmetric=True)[1:, 1:].astype(np.float64)
    return np.asarray(pairs / np.maximum(1, pairs.sum(axis=(0, 1), keepdims=True)))


def _patterns(lightness: NDArray[np.float32], inside: NDArray[np.bool_]) -> tuple[float, ...]:
    as_bytes = np.clip(lightness * 2.55, 0, 255).astype(np.uint8)
    codes = local_binary_pattern(as_bytes, _POINTS, 1, method="uniform")[inside].astype(int)
    shares = np.bincount(codes, minlength=_POINTS + 2) / len(codes)
    return tuple(float(share) for share in shares)
