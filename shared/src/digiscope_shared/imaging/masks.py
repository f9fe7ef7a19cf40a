"""From what the segmenter believes of each pixel to one lesion's mask."""

import hashlib
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]
Probabilities = NDArray[np.float32]

# Less than this share of the picture is a speck, not a lesion.
MIN_SHARE: Final = 0.002
_INSIDE: Final = 0.5


def lesion_mask(probabilities: Probabilities, *, width: int, height: int) -> Mask:
    """Return 0 or 255 a pixel of a width × height picture: the largest part, holes filled; or all 0."""
    smooth = cv2.resize(probabilities, (width, height), interpolation=cv2.INTER_LINEAR)
    return largest_part(np.where(smooth > _INSIDE, 255, 0).astype(np.uint8))


def largest_part(mask: Mask) -> Mask:
    """Keep the largest connected part and fill its holes."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    kept = np.zeros_like(mask)
    if contours:
        largest = max(contours, key=cv2.contourArea)
        if cv2.contourArea(largest) >= MIN_SHARE * mask.size:
            cv2.drawContours(kept, [largest], -1, 255, thickness=cv2.FILLED)
    return kept


def certainty(probabilities: Probabilities) -> float:
    """Return how far from undecided the pixels that are called lesion are, 0.5 to 1; 0 where there are none."""
    inside = probabilities[probabilities > _INSIDE]
    return float(inside.mean()) if inside.size else 0.0


def digest(mask: Mask) -> str:
    """Return the SHA-256 of `WIDTHxHEIGHT:` and the mask's bits, row by row, eight to a byte, the first one highest."""
    height, width = mask.shape
    return hashlib.sha256(f"{width}x{height}:".encode() + np.packbits(mask > 0).tobytes()).hexdigest()
