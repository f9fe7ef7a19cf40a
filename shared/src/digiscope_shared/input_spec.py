"""What a model wants its input to look like: part of its manifest, so readable without OpenCV."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """Size in pixels, what to cut off, colour order, and `value = byte × scale + offset`."""

    height: int
    width: int
    # aspect: the largest centred part that has the input's aspect ratio. whole: the frame, stretched where it must be.
    crop: Literal["aspect", "whole"] = "aspect"
    colour_order: Literal["rgb", "bgr"] = "rgb"
    scale: float = 1 / 255
    offset: float = 0.0
