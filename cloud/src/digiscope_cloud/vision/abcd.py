"""The ABCD rule of dermatoscopy (Stolz et al. 1994; Nachbar et al. 1994, doi:10.1016/S0190-9622(94)70061-3).

Made for melanocytic lesions only. D (structures) stays the clinician's, so the total score is a range.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from digiscope_cloud.vision.colour import Colour, Lab
from digiscope_cloud.vision.shape import Axes, Shape, upright

Mask = NDArray[np.uint8]

WEIGHT_A, WEIGHT_B, WEIGHT_C, WEIGHT_D = 1.3, 0.1, 0.5, 0.5
STRUCTURES: Final = (1, 5)
CUT_OFFS: Final = (4.75, 5.45)
SEGMENTS: Final = 8
# Ours: the rule asks an eye. An axis is asymmetric from these on: in outline, or in colour (CIE76).
ASYMMETRIC_OUTLINE: Final = 0.08
ASYMMETRIC_COLOUR: Final = 12.0
# A border segment ends abruptly when lightness steps by this share of lesion against skin, and by this much (L*).
ABRUPT_SHARE: Final = 0.5
ABRUPT_STEP: Final = 8.0
# Width of the two rims, inside and outside of the outline, in lesion radii.
_RIM: Final = 0.12


@dataclass(frozen=True, slots=True, kw_only=True)
class Abcd:
    """A 0 to 2, B 0 to 8, C 1 to 6; the total score over the unknown D, and where its ends lie."""

    asymmetry: int
    border: int
    colours: int
    total_low: float
    total_high: float
    colour_asymmetry_major: float
    colour_asymmetry_minor: float


def score(lab: Lab, mask: Mask, axes: Axes, shape: Shape, colour: Colour) -> Abcd:
    over_major, over_minor = colour_asymmetry(lab, mask, axes)
    asymmetry = sum(
        outline > ASYMMETRIC_OUTLINE or in_colour > ASYMMETRIC_COLOUR
        for outline, in_colour in ((shape.asymmetry_major, over_major), (shape.asymmetry_minor, over_minor))
    )
    border = int(np.count_nonzero(border_steps(lab[..., 0], mask, axes) > _abrupt_from(colour)))
    colours = max(1, len(colour.present))
    low, high = (
        WEIGHT_A * asymmetry + WEIGHT_B * border + WEIGHT_C * colours + WEIGHT_D * structures
        for structures in STRUCTURES
    )
    return Abcd(
        asymmetry=asymmetry,
        border=border,
        colours=colours,
        total_low=low,
        total_high=high,
        colour_asymmetry_major=over_major,
        colour_asymmetry_minor=over_minor,
    )


def colour_asymmetry(lab: Lab, mask: Mask, axes: Axes) -> tuple[float, float]:
    """Return the mean colour difference (CIE76) of what lies on each other when folded, per principal axis."""
    turned = np.stack([upright(_as_bytes(lab, channel), mask, axes) for channel in range(3)], axis=-1).astype(float)
    # L* was stretched to bytes, a* and b* were only shifted.
    turned[..., 0] *= 100 / 255
    turned = cv2.blur(turned, (5, 5))
    inside = upright(mask, mask, axes) > 127  # noqa: PLR2004 - half of white
    return _folded(turned, inside, axis=0), _folded(turned, inside, axis=1)


def border_steps(lightness: NDArray[np.float32], mask: Mask, axes: Axes) -> NDArray[np.float64]:
    """Return, for eight segments, how much lighter (L*) the rim outside is than the rim inside."""
    width = max(1.5, _RIM * float(np.sqrt(np.count_nonzero(mask) / np.pi)))
    outside = cv2.distanceTransform(np.where(mask > 0, 0, 1).astype(np.uint8), cv2.DIST_L2, 3)
    inside = cv2.distanceTransform(np.where(mask > 0, 1, 0).astype(np.uint8), cv2.DIST_L2, 3)
    rim = ((outside > 0) & (outside <= width)) | ((inside > 0) & (inside <= width))
    rows, columns = np.nonzero(rim)
    turn = np.arctan2(rows - axes.centre_xy[1], columns - axes.centre_xy[0]) - np.deg2rad(axes.angle_deg)
    segment = np.floor(turn / (2 * np.pi) * SEGMENTS).astype(int) % SEGMENTS
    within = mask[rows, columns] > 0
    values = lightness[rows, columns]
    means = [_mean_by_segment(values[side], segment[side]) for side in (~within, within)]
    return np.asarray(means[0] - means[1])


def _mean_by_segment(values: NDArray[np.float32], segment: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return NaN, which no threshold exceeds, where the picture's edge left nothing of a segment."""
    counts = np.bincount(segment, minlength=SEGMENTS).astype(np.float64)
    totals = np.bincount(segment, weights=values, minlength=SEGMENTS)
    return np.asarray(np.divide(totals, counts, out=np.full(SEGMENTS, np.nan), where=counts > 0))


def _abrupt_from(colour: Colour) -> float:
    return max(ABRUPT_STEP, ABRUPT_SHARE * abs(colour.skin.lab[0] - colour.lesion_lab[0]))


def _folded(turned: NDArray[np.float64], inside: NDArray[np.bool_], *, axis: int) -> float:
    both = inside & np.flip(inside, axis)
    if not both.any():
        return 0.0
    away = (turned - np.flip(turned, axis))[both]
    return float(np.sqrt((away**2).sum(axis=-1)).mean())


def _as_bytes(lab: Lab, channel: int) -> NDArray[np.uint8]:
    values = lab[..., 0] * 2.55 if channel == 0 else lab[..., channel] + 128
    return np.asarray(np.clip(np.rint(values), 0, 255), dtype=np.uint8)
