"""The classical way: Otsu, morphology, components. The baseline that the learned segmenter is measured against."""

import cv2
import numpy as np

from digiscope_shared.imaging.decode import FrameBgr
from digiscope_shared.imaging.masks import Mask, largest_part


def segment(image_bgr: FrameBgr) -> Mask:
    """Return 0 or 255 a pixel: what is darker than Otsu's threshold (doi:10.1109/TSMC.1979.4310076)."""
    grey = cv2.GaussianBlur(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY), (0, 0), max(image_bgr.shape) / 100)
    _, dark = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    taps = max(3, max(image_bgr.shape) // 40) | 1
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (taps, taps))
    closed = cv2.morphologyEx(cv2.morphologyEx(dark, cv2.MORPH_OPEN, brush), cv2.MORPH_CLOSE, brush)
    return largest_part(np.asarray(closed, dtype=np.uint8))
