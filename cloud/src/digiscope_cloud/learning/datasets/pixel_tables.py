"""Published tables of small images: HAM10000's `hmnist_28_28_RGB.csv` and DermaMNIST's `.npz`."""

import csv
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from digiscope_cloud.learning.datasets.examples import Dataset, Example
from digiscope_cloud.learning.datasets.ham10000 import METADATA, read_metadata
from digiscope_cloud.learning.paper_protocol import CODES
from digiscope_shared.errors import SettingsError
from digiscope_shared.lesions import LesionClass

_SIDE: Final = 28
# DermaMNIST's codes (Yang et al. 2023) are not HAM10000's: melanoma is 4 here and 6 there.
_DERMAMNIST: Final = tuple(LesionClass)
_DERMAMNIST_PARTS: Final = ("train", "val", "test")


def open_hmnist(path: Path) -> Dataset:
    """Read the table; with the metadata beside it, each row gets its lesion, else each is a lesion of its own."""
    with path.open(newline="", encoding="utf-8") as file:
        header = next(csv.reader(file), [])
    if len(header) != _SIDE * _SIDE * 3 + 1 or header[-1] != "label":
        raise SettingsError(
            f"{path}: expected 2,352 pixel columns and 'label': hmnist_28_28_RGB.csv of kaggle.com/kmader/"
            "skin-cancer-mnist-ham10000"
        )
    table = np.loadtxt(path, np.uint8, delimiter=",", skiprows=1, ndmin=2)
    images_rgb = table[:, :-1].reshape(-1, _SIDE, _SIDE, 3)
    examples = tuple(
        Example(image_id=f"row-{row}", group=f"row-{row}", lesion_class=_named(CODES, code, path))
        for row, code in enumerate(table[:, -1])
    )
    beside = (path.parent / METADATA).is_file()
    return Dataset(
        name=path.name,
        examples=_with_lesions(examples, path) if beside else examples,
        read=_encoder({example.image_id: row for row, example in enumerate(examples)}, images_rgb),
        grouped=beside,
    )


def open_dermamnist(path: Path) -> Dataset:
    """Read all three parts; the published parts share lesions, so they are no protocol of ours."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            parts = [(part, stored[f"{part}_images"], stored[f"{part}_labels"].ravel()) for part in _DERMAMNIST_PARTS]
    except (KeyError, ValueError, OSError) as error:
        raise SettingsError(
            f"{path}: expected train/val/test images and labels: dermamnist.npz of medmnist.com: {error}"
        ) from error
    names = [f"{part}-{row}" for part, images, _ in parts for row in range(len(images))]
    codes = np.concatenate([labels for _, _, labels in parts])
    examples = tuple(
        Example(image_id=name, group=name, lesion_class=_named(_DERMAMNIST, code, path))
        for name, code in zip(names, codes, strict=True)
    )
    images_rgb = np.concatenate([images for _, images, _ in parts])
    read = _encoder({name: row for row, name in enumerate(names)}, images_rgb)
    return Dataset(name=path.name, examples=examples, read=read, grouped=False)


def _named(codes: tuple[LesionClass, ...], code: int, path: Path) -> LesionClass:
    if not 0 <= code < len(codes):
        raise SettingsError(f"{path}: label {code} is none of 0 to {len(codes) - 1}")
    return codes[code]


def _encoder(row_of: dict[str, int], images_rgb: Any) -> Callable[[str], bytes]:
    """Return a reader that makes a PNG, so that these rows go the way of all images."""

    def read(image_id: str) -> bytes:
        image_bgr = cv2.cvtColor(images_rgb[row_of[image_id]], cv2.COLOR_RGB2BGR)
        return cv2.imencode(".png", image_bgr)[1].tobytes()

    return read


def _with_lesions(examples: tuple[Example, ...], path: Path) -> tuple[Example, ...]:
    published = read_metadata(path.parent)
    if [e.lesion_class for e in published] != [e.lesion_class for e in examples]:
        raise SettingsError(f"{path}: its labels are not those of the {METADATA} beside it, row by row")
    return tuple(
        dataclasses.replace(lesion, image_id=row.image_id) for row, lesion in zip(examples, published, strict=True)
    )
