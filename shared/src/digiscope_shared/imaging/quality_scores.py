"""The measures behind the quality gate, each of a small picture; cheap enough for every frame of a preview."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from digiscope_shared.imaging.decode import FrameBgr
from digiscope_shared.imaging.hair import hair_mask

Grey = NDArray[np.float32]
Mask = NDArray[np.uint8]

_BLUR_TAPS: Final = 9
# A specular highlight is white: all three channels are near their end. An overexposed skin loses red first.
_SPECULAR_FROM: Final = 240
_CLIPPED_FROM: Final = 253
# The dark rim that a dermatoscope's tube leaves.
_RIM_BELOW: Final = 45
# A segmenter's mask ends just short of the frame; share of the shorter side.
_SIDE_INSET: Final = 0.015


def of_pixels(image_bgr: FrameBgr) -> dict[str, float]:
    """Return what needs no outline of the lesion."""
    grey = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY)
    # OpenCV's max is a hundred times faster than numpy's along the last axis.
    blue, green, red = cv2.split(image_bgr)
    brightest, darkest = cv2.max(cv2.max(blue, green), red), cv2.min(cv2.min(blue, green), red)
    return {
        "sharpness": sharpness(grey.astype(np.float32)),
        "brightness": level_at(grey, 0.5),
        # What is lightest tells a dim lamp from a large dark lesion.
        "highlights": level_at(grey, 0.95),
        "clipped": float((brightest >= _CLIPPED_FROM).mean()),
        "glare": float((darkest >= _SPECULAR_FROM).mean()),
        "hair": float((hair_mask(image_bgr) > 0).mean()),
        "vignette": vignette(grey),
    }


def of_framing(mask: Mask) -> dict[str, float]:
    """Return how the lesion lies in the frame: share of its area, distance from the centre, how much is cut off.

    `off_centre` is 0 in the middle and 1 at the middle of a side. `cut_off` is that times how differently the lesion
    covers opposite sides of the frame: one that fills the frame covers them alike and lies in the middle, one that
    was missed does neither.
    """
    height, width = mask.shape
    moments = cv2.moments(mask, binaryImage=True)
    if not moments["m00"]:
        return {"lesion_share": 0.0}
    x, y = moments["m10"] / moments["m00"] + 0.5, moments["m01"] / moments["m00"] + 0.5
    off_centre = float(np.hypot(2 * x / width - 1, 2 * y / height - 1))
    return {
        "lesion_share": moments["m00"] / mask.size,
        "off_centre": off_centre,
        "cut_off": off_centre * _side_imbalance(mask),
    }


def sharpness(grey: Grey) -> float:
    """Return 0 (blurred) to 1: how much of the neighbours' difference a second blur takes away, on the worse axis.

    Crété-Roffet et al., "The blur effect", SPIE 6492 (2007), doi:10.1117/12.702790; independent of contrast.
    """
    return min(_sharpness_along(grey, axis) for axis in (0, 1))


def level_at(grey: NDArray[np.uint8], share: float) -> float:
    """Return the grey level that this share of the pixels doesn't exceed; counting is faster than sorting."""
    below = np.bincount(grey.ravel(), minlength=256).cumsum()
    return float(np.searchsorted(below, share * grey.size))


def vignette(grey: NDArray[np.uint8]) -> float:
    """Return the share of the picture that is nearly black and connected to its rim."""
    dark = np.where(grey < _RIM_BELOW, 255, 0).astype(np.uint8)
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(dark)
    on_rim = np.zeros(count, dtype=bool)
    for line in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        on_rim[line] = True
    on_rim[0] = False
    return float(boxes[on_rim, cv2.CC_STAT_AREA].sum() / grey.size)


def _sharpness_along(grey: Grey, axis: int) -> float:
    taps = (1, _BLUR_TAPS) if axis == 0 else (_BLUR_TAPS, 1)  # OpenCV: width first
    blurred = cv2.blur(grey, taps)
    difference = np.abs(np.diff(grey, axis=axis))
    lost = np.maximum(0, difference - np.abs(np.diff(blurred, axis=axis)))
    total = float(difference.sum())
    return float(lost.sum()) / total if total > 0 else 0.0


def _side_imbalance(mask: Mask) -> float:
    """Return the largest difference of two opposite sides' covered shares, just inside of the frame."""
    inset = round(_SIDE_INSET * min(mask.shape))
    left, right, top, bottom = (
        np.count_nonzero(line) / len(line)
        for line in (mask[:, inset], mask[:, -1 - inset], mask[inset], mask[-1 - inset])
    )
    return max(abs(left - right), abs(top - bottom))
