"""Random views of a training image, drawn from a generator alone: the same seed gives the same view."""

from typing import Any, Final

import cv2
import numpy as np

from digiscope_cloud.learning.config import Augmentation
from digiscope_cloud.learning.datasets.examples import ImagesBgr

_GREY_BGR: Final = np.array([0.114, 0.587, 0.299], np.float32)


def augment(
    image_bgr: ImagesBgr, augmentation: Augmentation, height: int, width: int, rng: np.random.Generator
) -> ImagesBgr:
    """Return one view of height × width, still bytes."""
    matrix = view_matrix(image_bgr.shape[:2], augmentation, height, width, rng)
    view = cv2.warpAffine(
        image_bgr, matrix[:2], (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    view = _recolour(view, augmentation, rng)
    if augmentation.cutout:
        _cut_out(view, augmentation.cutout, rng)
    return view


def view_matrix(
    shape: tuple[int, ...], augmentation: Augmentation, height: int, width: int, rng: np.random.Generator
) -> Any:
    """Return the 3 × 3 map from the image's pixels to the view's: one warp for all geometry, blurred only once."""
    fit = max(width / shape[1], height / shape[0])
    zoom = fit * np.exp(rng.uniform(-1, 1) * np.log1p(augmentation.zoom))
    angle = np.deg2rad(rng.uniform(-1, 1) * augmentation.rotation_deg)
    shear = rng.uniform(-1, 1) * augmentation.shear
    flip_x, flip_y = rng.choice([-1, 1], 2) if augmentation.flips else (1, 1)
    linear = (
        np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        @ np.array([[1, shear], [0, 1]])
        @ np.diag([flip_x, flip_y])
        * zoom
    )
    shift = rng.uniform(-1, 1, 2) * augmentation.shift * (width, height)
    centre = np.array([shape[1] - 1, shape[0] - 1]) / 2
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = np.array([width - 1, height - 1]) / 2 + shift - linear @ centre
    return matrix


def _recolour(view_bgr: ImagesBgr, augmentation: Augmentation, rng: np.random.Generator) -> ImagesBgr:
    gain = 1 + rng.uniform(-1, 1) * augmentation.brightness
    gains = gain * (1 + rng.uniform(-1, 1, 3) * augmentation.illumination)
    saturation = 1 + rng.uniform(-1, 1) * augmentation.saturation
    # One 3 × 3 colour matrix does both: gains on the diagonal, then a blend with the grey of the gained colours.
    blend = saturation * np.eye(3) + (1 - saturation) * np.tile(_GREY_BGR, (3, 1))
    return np.asarray(cv2.transform(view_bgr, (blend * gains).astype(np.float32)), np.uint8)


def _cut_out(view_bgr: ImagesBgr, share: float, rng: np.random.Generator) -> None:
    height, width = view_bgr.shape[:2]
    side = max(1, int(height * share * rng.uniform()))
    top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
    view_bgr[top : top + side, left : left + side] = 128
