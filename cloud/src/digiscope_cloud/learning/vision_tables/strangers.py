"""Pictures that are no dermoscopic images of lesions: drawn ones, and the samples of scikit-image and scikit-learn."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import skimage
import sklearn

from digiscope_shared.errors import PermanentError
from digiscope_shared.imaging.decode import FrameBgr, decode_bgr

WIDTH, HEIGHT = 600, 450
_CROPS: Final = 4
_MIN_SIDE_PX: Final = 120


def all_strangers() -> dict[str, list[FrameBgr]]:
    rng = np.random.default_rng(7)
    return {
        "blank": [np.full((HEIGHT, WIDTH, 3), rng.uniform(0, 255, 3), np.uint8) for _ in range(40)],
        "noise": [
            _bytes(rng.normal(rng.uniform(60, 190, 3), spread, (HEIGHT, WIDTH, 3))) for spread in range(10, 90, 2)
        ],
        "page of text": [_page(rng) for _ in range(40)],
        "face-coloured wall": [_wall(rng) for _ in range(40)],
        "photographs": list(_photographs(rng)),
    }


def _page(rng: np.random.Generator) -> FrameBgr:
    page = np.full((HEIGHT, WIDTH, 3), int(rng.integers(200, 256)), np.uint8)
    size, step = rng.uniform(0.4, 0.9), int(rng.integers(18, 36))
    for row in range(step, HEIGHT, step):
        letters = "".join(chr(code) for code in rng.choice([32, *range(97, 123)], 70))
        cv2.putText(page, letters, (12, row), cv2.FONT_HERSHEY_SIMPLEX, size, (30, 30, 30), 1, cv2.LINE_AA)
    return page


def _wall(rng: np.random.Generator) -> FrameBgr:
    """Skin's colour, a lamp from one side, a plaster's grain: and no lesion."""
    colour = np.array([165, 185, 222]) * rng.uniform(0.6, 1.1)
    slope = np.linspace(rng.uniform(0.6, 1), rng.uniform(0.8, 1.1), WIDTH)[None, :, None]
    grain = cv2.resize(rng.normal(0, 4, (HEIGHT // 2, WIDTH // 2)), (WIDTH, HEIGHT))[..., None]
    return _bytes(colour * slope + grain)


def _photographs(rng: np.random.Generator) -> Iterator[FrameBgr]:
    folders = (Path(skimage.__file__).parent / "data", Path(sklearn.__file__).parent / "datasets" / "images")
    for path in sorted(path for folder in folders for path in folder.iterdir()):
        try:
            image_bgr = decode_bgr(path.read_bytes()) if path.is_file() else None
        except PermanentError:  # what else lies in those folders
            continue
        if image_bgr is not None and min(image_bgr.shape[:2]) >= _MIN_SIDE_PX:
            yield from (_crop(image_bgr, rng) for _ in range(_CROPS))


def _crop(image_bgr: FrameBgr, rng: np.random.Generator) -> FrameBgr:
    """Cut a random part of four to three, a half of the picture's height at least."""
    height, width = image_bgr.shape[:2]
    rows = int(min(height, width * 3 / 4) * rng.uniform(0.5, 1))
    columns = int(rows * 4 / 3)
    top, left = int(rng.integers(height - rows + 1)), int(rng.integers(max(1, width - columns + 1)))
    cut = np.ascontiguousarray(image_bgr[top : top + rows, left : left + columns])
    return _bytes(cv2.resize(cut, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR))


def _bytes(pixels: object) -> FrameBgr:
    return np.asarray(np.clip(np.asarray(pixels), 0, 255), dtype=np.uint8)
