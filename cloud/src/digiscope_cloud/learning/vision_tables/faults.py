"""Faults planted in good pictures, and how severe they are. Sizes are shares of the picture's width."""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from digiscope_shared.imaging.decode import FrameBgr

Mask = NDArray[np.uint8]
Fault = Callable[[FrameBgr, Mask, np.random.Generator], FrameBgr]

_BLUR_SIGMA: Final = 0.01
_DARK, _BRIGHT = 0.35, 1.8
_SPOTS: Final = 3


def blur(image_bgr: FrameBgr, _mask: Mask, _rng: np.random.Generator) -> FrameBgr:
    return _bytes(cv2.GaussianBlur(image_bgr, (0, 0), _BLUR_SIGMA * image_bgr.shape[1]))


def dark(image_bgr: FrameBgr, _mask: Mask, _rng: np.random.Generator) -> FrameBgr:
    return _bytes(image_bgr * _DARK)


def bright(image_bgr: FrameBgr, _mask: Mask, _rng: np.random.Generator) -> FrameBgr:
    return _bytes(image_bgr * _BRIGHT)


def glare(image_bgr: FrameBgr, _mask: Mask, rng: np.random.Generator) -> FrameBgr:
    height, width = image_bgr.shape[:2]
    spots = np.zeros((height, width), dtype=np.float32)
    for _ in range(_SPOTS):
        x, y = rng.uniform(0.25, 0.75, 2) * (width, height)
        axes = np.rint(rng.uniform((0.08, 0.05), (0.16, 0.1)) * width).astype(int)
        turn = rng.uniform(0, 180)
        cv2.ellipse(spots, (int(x), int(y)), (int(axes[0]), int(axes[1])), turn, 0, 360, 1.0, -1)
    soft = cv2.GaussianBlur(spots, (0, 0), 0.01 * width)[..., None]
    return _bytes(image_bgr * (1 - soft) + 255 * soft)


def cropped(image_bgr: FrameBgr, mask: Mask, _rng: np.random.Generator) -> FrameBgr:
    """Cut upright through the lesion's centre, keep the larger side and the picture's shape, scale to the old size."""
    if not mask.any():
        return image_bgr
    height, width = mask.shape
    row, column = (int(places.mean()) for places in np.nonzero(mask))
    left, right = (column, width) if column < width / 2 else (0, column)
    kept_height = round((right - left) * height / width)
    top = min(max(0, row - kept_height // 2), height - kept_height)
    kept = np.ascontiguousarray(image_bgr[top : top + kept_height, left:right])
    return _bytes(cv2.resize(kept, (width, height), interpolation=cv2.INTER_LINEAR))


FAULTS: Final[dict[str, tuple[str, Fault]]] = {
    "blur": ("Gaussian, sigma 1 % of the width (6 px at 600)", blur),
    "dark": ("a third of the light (× 0.35)", dark),
    "bright": ("× 1.8, clipped", bright),
    "glare": ("three white spots, about 7 % of the picture", glare),
    "cropped lesion": ("half of the lesion outside of the frame", cropped),
}


def _bytes(pixels: object) -> FrameBgr:
    return np.asarray(np.clip(np.asarray(pixels), 0, 255), dtype=np.uint8)
