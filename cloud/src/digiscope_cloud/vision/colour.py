"""Which of the six dermoscopic colours a lesion shows, and the skin that it lies on. CIE L*a*b*, D65."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from digiscope_shared.imaging.decode import FrameBgr

Mask = NDArray[np.uint8]
Lab = NDArray[np.float32]


class DermoscopicColour(StrEnum):
    WHITE = "white"
    RED = "red"
    LIGHT_BROWN = "light-brown"
    DARK_BROWN = "dark-brown"
    BLUE_GREY = "blue-grey"
    BLACK = "black"


# sRGB anchors. The six names are the ABCD rule's (Stolz et al. 1994); the values are ours, near those of
# Celebi and Zornberg 2014, doi:10.1109/JSYST.2014.2313671. Several anchors for one colour where it spans shades.
ANCHORS_RGB: Final = (
    (DermoscopicColour.WHITE, (250, 245, 240)),
    (DermoscopicColour.RED, (190, 60, 60)),
    (DermoscopicColour.RED, (215, 110, 105)),
    (DermoscopicColour.LIGHT_BROWN, (175, 125, 80)),
    (DermoscopicColour.LIGHT_BROWN, (150, 100, 70)),
    (DermoscopicColour.DARK_BROWN, (100, 60, 40)),
    (DermoscopicColour.DARK_BROWN, (70, 40, 30)),
    (DermoscopicColour.BLUE_GREY, (95, 110, 135)),
    (DermoscopicColour.BLUE_GREY, (130, 130, 145)),
    (DermoscopicColour.BLACK, (25, 20, 20)),
)
# A colour counts from this share of the lesion on.
MIN_SHARE: Final = 0.05
# White is lighter than the skin around by that much (L*): a pale skin is none.
_WHITE_ABOVE_SKIN: Final = 8.0
# The ring of skin around the lesion, in lesion radii outwards.
_RING_FROM: Final = 0.15
RING_TO: Final = 0.6
_MEDIAN_OF: Final = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class Skin:
    """Median colour around the lesion. The individual typology angle (Chardon et al. 1991) is for reports only."""

    lab: tuple[float, float, float]
    typology_angle_deg: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Colour:
    """Shares are of the lesion's area; what looks like the skin around is in none of them."""

    shares: dict[DermoscopicColour, float]
    present: tuple[DermoscopicColour, ...]
    # Standard deviation of L*, a*, b* in the lesion, root of the summed squares.
    variegation: float
    # Median colour difference (CIE76) of lesion and skin.
    contrast_to_skin: float
    lesion_lab: tuple[float, float, float]
    skin: Skin


def to_lab(image_bgr: FrameBgr) -> Lab:
    """Return float L* 0 to 100, a*, b*."""
    return np.asarray(cv2.cvtColor(image_bgr.astype(np.float32) / np.float32(255), cv2.COLOR_BGR2LAB), np.float32)


_ANCHORS_LAB: Final = to_lab(np.array([[rgb[::-1] for _, rgb in ANCHORS_RGB]], dtype=np.uint8))[0]


def describe(lab: Lab, mask: Mask) -> Colour:
    """Measure one lesion's colours; the mask must not be empty."""
    inside = lab[mask > 0]
    skin = skin_around(lab, mask)
    shares = _shares(inside, skin)
    lesion_lab = _median(inside)
    return Colour(
        shares=shares,
        present=tuple(colour for colour, share in shares.items() if share >= MIN_SHARE),
        variegation=float(np.sqrt(inside.var(axis=0).sum())),
        contrast_to_skin=float(np.linalg.norm(lesion_lab - np.array(skin.lab))),
        lesion_lab=_triple(lesion_lab),
        skin=skin,
    )


def skin_around(lab: Lab, mask: Mask) -> Skin:
    """Return the median of a ring around the lesion, or of all that is not lesion where the ring is cut off."""
    distance = cv2.distanceTransform(np.where(mask > 0, 0, 1).astype(np.uint8), cv2.DIST_L2, 3)
    radius = np.sqrt(np.count_nonzero(mask) / np.pi)
    ring = (distance > _RING_FROM * radius) & (distance < max(RING_TO * radius, 3))
    if not ring.any():
        ring = mask == 0
    level = _median(lab[ring] if ring.any() else lab.reshape(-1, 3))
    lightness, _, yellow = level
    angle = np.degrees(np.arctan2(lightness - 50, yellow))
    return Skin(lab=_triple(level), typology_angle_deg=float(angle))


def _shares(inside: Lab, skin: Skin) -> dict[DermoscopicColour, float]:
    references = np.vstack([_ANCHORS_LAB, np.array(skin.lab, dtype=np.float32)])
    # |x - r|² without a pixels × anchors × 3 array; |x|² is the same for all anchors.
    nearest = np.argmin((references**2).sum(axis=1) - 2 * inside @ references.T, axis=1)
    counts = np.bincount(nearest, minlength=len(references))
    dim_white = (nearest == 0) & (inside[:, 0] < skin.lab[0] + _WHITE_ABOVE_SKIN)
    counts[0] -= np.count_nonzero(dim_white)
    shares = dict.fromkeys(DermoscopicColour, 0.0)
    for (colour, _), count in zip(ANCHORS_RGB, counts, strict=False):
        shares[colour] += float(count) / len(inside)
    return shares


def _median(pixels: Lab) -> NDArray[np.float32]:
    """Return the channels' medians of evenly picked pixels: sorting all of them costs more than all else here."""
    step = max(1, len(pixels) // _MEDIAN_OF)
    return np.asarray(np.median(pixels[::step], axis=0), dtype=np.float32)


def _triple(values: NDArray[np.float32]) -> tuple[float, float, float]:
    lightness, green_red, blue_yellow = (float(value) for value in values)
    return lightness, green_red, blue_yellow
