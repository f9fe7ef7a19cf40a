"""All features of one lesion, measured on a picture of bounded size."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from digiscope_cloud.vision import abcd, colour, shape, texture
from digiscope_shared.imaging.decode import FrameBgr
from digiscope_shared.imaging.hair import hair_mask, paint_over

Mask = NDArray[np.uint8]
# Colours and texture don't need more, and painting hairs over costs per pixel.
SURFACE_SIDE_PX: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    axes: shape.Axes
    shape: shape.Shape
    colour: colour.Colour
    texture: texture.Texture
    abcd: abcd.Abcd


def describe(image_bgr: FrameBgr, mask: Mask) -> Features:
    """Measure the lesion under `mask` (0 or 255, the image's size, not empty)."""
    axes = shape.principal_axes(mask)
    outline = shape.describe(mask, axes)
    surface_bgr, surface_mask = surface(image_bgr, mask)
    lab = colour.to_lab(paint_over(surface_bgr, _near(surface_mask, hair_mask(surface_bgr))))
    colours = colour.describe(lab, surface_mask)
    surface_axes = shape.principal_axes(surface_mask)
    return Features(
        axes=axes,
        shape=outline,
        colour=colours,
        texture=texture.describe(lab[..., 0], surface_mask),
        abcd=abcd.score(lab, surface_mask, surface_axes, outline, colours),
    )


def surface(image_bgr: FrameBgr, mask: Mask) -> tuple[FrameBgr, Mask]:
    """Scale both down so that the longer side has SURFACE_SIDE_PX; small ones stay."""
    scale = SURFACE_SIDE_PX / max(mask.shape)
    if scale >= 1:
        return image_bgr, mask
    height, width = (max(1, round(side * scale)) for side in mask.shape)
    smaller_bgr = cv2.resize(image_bgr, (width, height), interpolation=cv2.INTER_AREA)
    coverage = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)
    smaller = np.where(coverage > 127, 255, 0).astype(np.uint8)  # noqa: PLR2004 - half of white
    return np.asarray(smaller_bgr, dtype=np.uint8), smaller if smaller.any() else np.asarray(
        coverage > 0, np.uint8
    ) * 255


def _near(mask: Mask, hairs: Mask) -> Mask:
    """Keep the hairs over the lesion and over the ring of skin that is measured: each painted pixel costs."""
    x, y, width, height = cv2.boundingRect(mask)
    reach = round(colour.RING_TO * np.sqrt(np.count_nonzero(mask) / np.pi)) + 2
    box = np.s_[max(0, y - reach) : y + height + reach, max(0, x - reach) : x + width + reach]
    near = np.zeros_like(hairs)
    near[box] = hairs[box]
    return near
