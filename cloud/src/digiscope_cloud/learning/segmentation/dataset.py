"""HAM10000's pictures and lesion masks under `grouped-v1`, small, in memory."""

import csv
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import cv2
import numpy as np
from numpy.typing import NDArray

from digiscope_shared.imaging.decode import decode_bgr

PARTS = "grouped_v1.csv"
IMAGES = "images_200x150.zip"
MASKS = "masks_200x150.zip"


@dataclass(frozen=True, slots=True)
class MaskedImages:
    """`images_bgr` N×H×W×3 and `masks` N×H×W (0 or 255), both bytes; `names` are image ids."""

    names: tuple[str, ...]
    images_bgr: NDArray[np.uint8]
    masks: NDArray[np.uint8]


def image_ids(data_dir: Path, *parts: str) -> list[str]:
    """Name the images of these parts of the protocol, in the manifest's order."""
    with (data_dir / PARTS).open(encoding="utf-8") as table:
        return [row["image_id"] for row in csv.DictReader(table) if row["part"] in parts]


def load(data_dir: Path, *parts: str, size: tuple[int, int] | None = None) -> MaskedImages:
    """Read pictures with masks, scaled to `size` (width, height) where given; the test part has no masks here."""
    names = image_ids(data_dir, *parts)
    with ZipFile(data_dir / IMAGES) as images, ZipFile(data_dir / MASKS) as masks:
        image_of = {Path(name).stem: name for name in images.namelist()}
        mask_of = {Path(name).stem: name for name in masks.namelist()}
        pairs = [
            (_scaled(decode_bgr(images.read(image_of[name])), size), _mask(masks.read(mask_of[name]), size))
            for name in names
        ]
    return MaskedImages(tuple(names), np.stack([image for image, _ in pairs]), np.stack([mask for _, mask in pairs]))


def _mask(content: bytes, size: tuple[int, int] | None) -> NDArray[np.uint8]:
    grey = decode_bgr(content)[..., 0]
    return np.where(_scaled(grey, size) > 127, 255, 0).astype(np.uint8)  # noqa: PLR2004 - half of white


def _scaled(pixels: NDArray[np.uint8], size: tuple[int, int] | None) -> NDArray[np.uint8]:
    if size is None:
        return pixels
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
