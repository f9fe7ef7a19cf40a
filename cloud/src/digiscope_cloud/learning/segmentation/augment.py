"""What a training picture may turn into: seen from elsewhere, under another lamp, hairy, drawn, or without a lesion."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from digiscope_shared.imaging.phantoms import draw_hairs, draw_phantom_with_mask

Pixels = NDArray[np.uint8]
Pair = tuple[Pixels, Pixels]

_HAIR_SHARE: Final = 0.15
_BLUR_SHARE: Final = 0.15
_VIGNETTE_SHARE: Final = 0.15
# How far from the lesion, in pixels of the training size, skin counts as free of it.
_MARGIN_PX: Final = 9


def augment(rng: np.random.Generator, image_bgr: Pixels, mask: Pixels) -> Pair:
    """Return a picture and mask of the same size, moved and recoloured."""
    image_bgr, mask = _moved(rng, image_bgr, mask)
    if rng.random() < _HAIR_SHARE:
        image_bgr = draw_hairs(image_bgr, count=int(rng.integers(1, 12)), seed=int(rng.integers(1 << 31)))
    if rng.random() < _BLUR_SHARE:
        image_bgr = _as_bytes(cv2.GaussianBlur(image_bgr, (0, 0), rng.uniform(0.4, 1.2)))
    return _recoloured(rng, image_bgr), mask


def phantom(rng: np.random.Generator, width: int, height: int) -> Pair:
    """Return a drawn lesion, moved and recoloured like a real one."""
    drawn = draw_phantom_with_mask(int(rng.integers(1 << 31)), width=width, height=height)
    return augment(rng, drawn.image_bgr, drawn.mask)


def empty(rng: np.random.Generator, image_bgr: Pixels, mask: Pixels) -> Pair:
    """Return a picture without a lesion: a patch of that picture's skin, or something that is no skin."""
    nothing = np.zeros_like(mask)
    patch = _skin_patch(rng, mask) if rng.random() < 0.7 else None  # noqa: PLR2004 - most empty pictures are skin
    if patch is None:
        return _no_skin(rng, *mask.shape), nothing
    top, left, height, width = patch
    cut = image_bgr[top : top + height, left : left + width]
    return _recoloured(rng, _as_bytes(cv2.resize(cut, mask.shape[::-1], interpolation=cv2.INTER_CUBIC))), nothing


def _moved(rng: np.random.Generator, image_bgr: Pixels, mask: Pixels) -> Pair:
    height, width = mask.shape
    turn = rng.uniform(-180, 180) if rng.random() < 0.5 else rng.uniform(-15, 15)  # noqa: PLR2004 - half of them upright
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn, float(np.exp(rng.uniform(-0.25, 0.3))))
    if rng.random() < 0.5:  # noqa: PLR2004 - a coin
        matrix = matrix @ np.array([[-1, 0, width - 1], [0, 1, 0], [0, 0, 1]], dtype=np.float64)
    matrix[:, 2] += rng.uniform(-0.12, 0.12, 2) * (width, height)
    # Replicating would smear, reflecting invents a second lesion at most at the rim, and its mask is reflected too.
    border = cv2.BORDER_REFLECT_101
    moved = cv2.warpAffine(image_bgr, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=border)
    moved_mask = cv2.warpAffine(mask, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=border)
    return _as_bytes(moved), _as_bytes(moved_mask)


def _recoloured(rng: np.random.Generator, image_bgr: Pixels) -> Pixels:
    pixels = image_bgr.astype(np.float32) / 255
    pixels = pixels ** np.float32(np.exp(rng.normal(0, 0.15))) * rng.normal(1, 0.06, 3).astype(np.float32)
    mean = pixels.mean()
    pixels = (pixels - mean) * np.float32(rng.uniform(0.75, 1.25)) + mean * np.float32(rng.uniform(0.75, 1.15))
    if rng.random() < _VIGNETTE_SHARE:
        pixels *= _vignette(rng, *image_bgr.shape[:2])[..., None]
    return _as_bytes(np.clip(pixels * 255, 0, 255))


def _vignette(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    x, y = np.linspace(-1, 1, width)[None, :] * width / height, np.linspace(-1, 1, height)[:, None]
    radius, softness = rng.uniform(0.95, 1.6), rng.uniform(0.02, 0.5)
    return np.asarray(np.clip((radius - np.hypot(x, y)) / softness, 0.05, 1), dtype=np.float32)


def _skin_patch(rng: np.random.Generator, mask: Pixels) -> tuple[int, int, int, int] | None:
    far = cv2.dilate(mask, np.ones((2 * _MARGIN_PX + 1,) * 2, np.uint8))
    height, width = mask.shape
    for _ in range(8):
        share = rng.uniform(0.25, 0.5)
        rows, columns = round(height * share), round(width * share)
        top, left = int(rng.integers(height - rows)), int(rng.integers(width - columns))
        if not far[top : top + rows, left : left + columns].any():
            return top, left, rows, columns
    return None


def _no_skin(rng: np.random.Generator, height: int, width: int) -> Pixels:
    kind = rng.integers(4)
    if kind == 0:
        canvas = np.full((height, width, 3), rng.uniform(0, 255, 3))
    elif kind == 1:
        canvas = rng.normal(rng.uniform(40, 215, 3), rng.uniform(5, 70), (height, width, 3))
    elif kind == 2:  # noqa: PLR2004 - the third kind: a gradient
        ramp = np.linspace(0, 1, width)[None, :, None]
        canvas = ramp * rng.uniform(0, 255, 3) + (1 - ramp) * rng.uniform(0, 255, 3) + np.zeros((height, 1, 1))
    else:
        canvas = np.full((height, width, 3), int(rng.integers(180, 255)), dtype=np.uint8)
        for row in range(8, height, int(rng.integers(8, 16))):
            word = "".join(chr(letter) for letter in rng.integers(97, 123, 30))
            cv2.putText(canvas, word, (2, row), cv2.FONT_HERSHEY_SIMPLEX, 0.3, (40, 40, 40), 1, cv2.LINE_AA)
    return _as_bytes(np.clip(canvas, 0, 255))


def _as_bytes(pixels: object) -> Pixels:
    return np.asarray(pixels, dtype=np.uint8)
