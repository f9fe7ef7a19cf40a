"""What the outline says: size, symmetry, irregularity. Lengths in pixels of the mask that came in."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.measure import perimeter_crofton

Mask = NDArray[np.uint8]
# Both mirrored halves are compared on a square of this many pixels: cost and result don't depend on the size.
_MIRROR_PX: Final = 128
_BOX_SIZES: Final = (2, 4, 8, 16, 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """The ellipse with the mask's second moments: pixels, and degrees (-90 to 90) of its longer axis."""

    centre_xy: tuple[float, float]
    angle_deg: float
    semi_major_px: float
    semi_minor_px: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """`docs/messages.md` gives formula, unit and source of each."""

    area_px: float
    perimeter_px: float
    diameter_px: float
    equivalent_diameter_px: float
    elongation: float
    compactness: float
    solidity: float
    fractal_dimension: float
    asymmetry_major: float
    asymmetry_minor: float
    touches_border: bool


def outline(mask: Mask) -> NDArray[np.int32]:
    """Return the longest outer contour, points × 2 (x, y)."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(max(contours, key=len), dtype=np.int32)[:, 0]


def principal_axes(mask: Mask) -> Axes:
    """Return the axes of the mask's second moments (Hu 1962, doi:10.1109/TIT.1962.1057692)."""
    moments = cv2.moments(mask, binaryImage=True)
    area = moments["m00"]
    # A pixel is a square, not a point: its own second moment is 1/12.
    xx, yy, xy = moments["mu20"] / area + 1 / 12, moments["mu02"] / area + 1 / 12, moments["mu11"] / area
    spread = float(np.hypot(2 * xy, xx - yy))
    major, minor = (float(np.sqrt(max(0.0, 2 * (xx + yy + sign * spread)))) for sign in (1.0, -1.0))
    return Axes(
        centre_xy=(moments["m10"] / area, moments["m01"] / area),
        angle_deg=float(np.degrees(0.5 * np.arctan2(2 * xy, xx - yy))),
        semi_major_px=major,
        semi_minor_px=minor,
    )


def describe(mask: Mask, axes: Axes) -> Shape:
    """Measure one lesion's mask (0 or 255), which must not be empty."""
    area = float(np.count_nonzero(mask))
    border = outline(mask)
    hull = cv2.convexHull(border)
    x, y, width, height = cv2.boundingRect(mask)
    framed = np.pad(mask[y : y + height, x : x + width], 1)
    perimeter = float(perimeter_crofton(framed > 0, directions=4))
    across_major, across_minor = mirror_asymmetry(upright(mask, mask, axes) > 127)  # noqa: PLR2004 - half of white
    return Shape(
        area_px=area,
        perimeter_px=perimeter,
        diameter_px=_feret_diameter(hull[:, 0]),
        equivalent_diameter_px=float(np.sqrt(4 * area / np.pi)),
        elongation=axes.semi_major_px / max(axes.semi_minor_px, 0.5),
        compactness=min(1.0, 4 * np.pi * area / max(perimeter, 1.0) ** 2),
        solidity=min(1.0, float(cv2.contourArea(border) / max(cv2.contourArea(hull), 1.0))),
        fractal_dimension=fractal_dimension(border),
        asymmetry_major=across_major,
        asymmetry_minor=across_minor,
        touches_border=_touches_border(mask),
    )


def upright(pixels: NDArray[np.uint8], mask: Mask, axes: Axes) -> NDArray[np.uint8]:
    """Turn `pixels` so that the longer axis lies level and the lesion's centre in the middle of a small square."""
    x, y, width, height = cv2.boundingRect(mask)
    corners = np.array([(x + dx * width, y + dy * height) for dx in (0, 1) for dy in (0, 1)], dtype=np.float64)
    reach = float(np.linalg.norm(corners - axes.centre_xy, axis=1).max()) + 1
    matrix = cv2.getRotationMatrix2D(axes.centre_xy, axes.angle_deg, _MIRROR_PX / 2 / reach)
    matrix[:, 2] += (_MIRROR_PX - 1) / 2 - np.array(axes.centre_xy)
    turned = cv2.warpAffine(pixels, matrix, (_MIRROR_PX, _MIRROR_PX), flags=cv2.INTER_LINEAR)
    return np.asarray(turned, dtype=np.uint8)


def mirror_asymmetry(upright_mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Return what doesn't cover its mirror image, over the longer and over the shorter axis.

    Area of the symmetric difference over twice the area: 0 is symmetric, 1 has no overlap (Stoecker et al. 1992,
    doi:10.1016/0895-6111(92)90073-I).
    """
    area = max(1, int(np.count_nonzero(upright_mask)))
    over_major = np.count_nonzero(upright_mask ^ upright_mask[::-1]) / (2 * area)
    over_minor = np.count_nonzero(upright_mask ^ upright_mask[:, ::-1]) / (2 * area)
    return float(over_major), float(over_minor)


def fractal_dimension(border: NDArray[np.int32]) -> float:
    """Return the outline's box-counting dimension, 1 (smooth) to 2: slope of log boxes over log 1/size."""
    shifted = border - border.min(axis=0)
    counts = [len(np.unique(shifted // size @ (1 << 20, 1))) for size in _BOX_SIZES]
    slope = np.polyfit(np.log(1 / np.array(_BOX_SIZES)), np.log(counts), 1)[0]
    return float(slope)


def _feret_diameter(hull: NDArray[np.int32]) -> float:
    """Return the largest distance of two points of the outline, pixel edges included."""
    away = hull[:, None, :].astype(np.float64) - hull[None, :, :]
    return float(np.sqrt((away**2).sum(axis=-1)).max()) + 1


def _touches_border(mask: Mask) -> bool:
    return bool(mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())
