"""The one place where pixels become a model's input: edge, worker and trainer all call `build_input`."""

from typing import TYPE_CHECKING, Any, TypeAlias

import cv2
import numpy as np

from digiscope_shared.input_spec import InputSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FrameBgr: TypeAlias = NDArray[np.uint8]
    ModelInput: TypeAlias = NDArray[np.float32]
else:
    FrameBgr: TypeAlias = Any
    ModelInput: TypeAlias = Any


def build_input(image_bgr: FrameBgr, spec: InputSpec) -> ModelInput:
    """Return height × width × 3, float32, from H×W×3 bytes."""
    return scale_pixels(resize(image_bgr, spec), spec)


def resize(image_bgr: FrameBgr, spec: InputSpec) -> FrameBgr:
    """Crop and resize, still bytes and still blue first."""
    cut = image_bgr if spec.crop == "whole" else centre_crop(image_bgr, spec.width / spec.height)
    if cut.shape[:2] == (spec.height, spec.width):
        return cut
    smaller = cut.shape[0] >= spec.height and cut.shape[1] >= spec.width
    # Area averaging is the only one of OpenCV's filters that doesn't alias when it shrinks.
    resized = cv2.resize(cut, (spec.width, spec.height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    return np.asarray(resized, np.uint8)


def scale_pixels(image_bgr: FrameBgr, spec: InputSpec) -> ModelInput:
    """Order colours and scale bytes to the model's range; any leading dimensions."""
    ordered = image_bgr[..., ::-1] if spec.colour_order == "rgb" else image_bgr
    scaled = ordered.astype(np.float32) * np.float32(spec.scale) + np.float32(spec.offset)
    return np.ascontiguousarray(scaled, np.float32)


def centre_crop(image_bgr: FrameBgr, aspect: float) -> FrameBgr:
    """Return the largest centred part whose width is `aspect` times its height."""
    height, width = image_bgr.shape[:2]
    if width > height * aspect:
        cut = max(1, round(height * aspect))
        left = (width - cut) // 2
        return image_bgr[:, left : left + cut]
    cut = max(1, round(width / aspect))
    top = (height - cut) // 2
    return image_bgr[top : top + cut]
