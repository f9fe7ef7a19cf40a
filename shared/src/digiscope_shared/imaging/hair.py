"""Dark hairs: found as narrow dark valleys, and painted over for measurements; the CNN sees them as they are."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from digiscope_shared.imaging.decode import FrameBgr

# Widest hair that closes, and what counts as one, as shares of the picture's shorter side.
_HAIR_WIDTH: Final = 0.035
_MIN_LENGTH: Final = 0.12
# A hair is that much darker than what it crosses, in grey levels, and that much longer than wide.
_MIN_DEPTH: Final = 18
_MIN_ELONGATION: Final = 4.0
# Inpainting costs per painted pixel: 20 ms at 600×450, over a second at 12 megapixels.
MAX_INPAINT_PX: Final = 600
_PAINT_RADIUS_PX: Final = 2


def hair_mask(image_bgr: FrameBgr) -> NDArray[np.uint8]:
    """Return 0 or 255 a pixel: blackhat, threshold, and only what is long and thin.

    DullRazor's idea, Lee et al. 1997, doi:10.1016/S0010-4825(97)00020-6.
    """
    grey = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY)
    side = min(grey.shape)
    taps = max(3, round(side * _HAIR_WIDTH)) | 1
    valleys = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (taps, taps)))
    candidates = np.where(valleys > _MIN_DEPTH, 255, 0).astype(np.uint8)
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(candidates, connectivity=8)
    width, height, area = boxes[:, cv2.CC_STAT_WIDTH], boxes[:, cv2.CC_STAT_HEIGHT], boxes[:, cv2.CC_STAT_AREA]
    length = np.hypot(width, height)
    # area / length is the mean width of a line, bent or straight.
    keep = (length >= side * _MIN_LENGTH) & (length * length >= _MIN_ELONGATION * area)
    keep[0] = False
    if count == 1 or not keep.any():
        return np.zeros_like(candidates)
    return np.asarray(cv2.dilate(np.where(keep[labels], 255, 0).astype(np.uint8), np.ones((3, 3), np.uint8)))


def paint_over(image_bgr: FrameBgr, hairs: NDArray[np.uint8]) -> FrameBgr:
    """Fill the masked pixels from their surroundings (Telea 2004, doi:10.1080/10867651.2004.10487596).

    Raises:
        ValueError: a side is longer than MAX_INPAINT_PX: scale down first.
    """
    if max(image_bgr.shape[:2]) > MAX_INPAINT_PX:
        raise ValueError(f"inpainting {image_bgr.shape[1]}×{image_bgr.shape[0]} pixels costs too much")
    if not hairs.any():
        return image_bgr
    return np.asarray(cv2.inpaint(image_bgr, hairs, _PAINT_RADIUS_PX, cv2.INPAINT_TELEA), dtype=np.uint8)
