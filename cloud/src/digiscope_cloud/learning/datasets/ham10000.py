"""HAM10000 as published: the metadata's own row order, images in folders or zip files."""

import csv
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from digiscope_cloud.learning.datasets.examples import Dataset, Example
from digiscope_cloud.learning.datasets.image_store import open_images
from digiscope_shared.errors import SettingsError
from digiscope_shared.lesions import LesionClass

METADATA: Final = "HAM10000_metadata.csv"
DUPLICATES: Final = "duplicate_pairs.csv"
IMAGE_SOURCES: Final = ("images_200x150.zip", "HAM10000_images_part_1", "HAM10000_images.zip", "images")
WHERE: Final = "get it from https://doi.org/10.7910/DVN/DBW86T and name its folder with --data or DIGISCOPE_DATA"
_COLUMNS: Final = ("lesion_id", "image_id", "dx", "age", "sex", "localization")


def read_metadata(folder: Path) -> tuple[Example, ...]:
    """Return the rows in published order; a group is a lesion, or two that show the same skin.

    Raises:
        SettingsError: what was expected, and where to get it.
    """
    path = folder / METADATA
    if not path.is_file():
        raise SettingsError(f"{path} is missing: HAM10000's metadata table; {WHERE}")
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise SettingsError(f"{path}: expected the columns {', '.join(_COLUMNS)}; {missing[0]!r} is missing")
        table = list(rows)
    groups = _merged_groups({row["image_id"]: row["lesion_id"] for row in table}, folder / DUPLICATES)
    return tuple(_example(row, groups[row["lesion_id"]], path) for row in table)


def open_ham10000(folder: Path) -> Dataset:
    return Dataset(name="HAM10000", examples=read_metadata(folder), read=_open_any(folder))


def _open_any(folder: Path) -> Callable[[str], bytes]:
    for name in IMAGE_SOURCES:
        source = folder / name
        if source.exists():
            # The published images come as two folders side by side: the folder above holds both.
            return open_images(folder if name.endswith("part_1") else source)
    raise SettingsError(f"{folder}: no images; expected one of {', '.join(IMAGE_SOURCES)}; {WHERE}")


def _example(row: dict[str, str], group: str, path: Path) -> Example:
    try:
        lesion_class = LesionClass(row["dx"])
    except ValueError:
        raise SettingsError(f"{path}: {row['image_id']}: {row['dx']!r} is none of {', '.join(LesionClass)}") from None
    return Example(
        image_id=row["image_id"],
        group=group,
        lesion_class=lesion_class,
        age=float(row["age"]) if row["age"] else None,
        sex=_known(row["sex"]),
        site=_known(row["localization"]),
    )


def _known(text: str) -> str:
    return "" if text == "unknown" else text


def _merged_groups(lesion_of: dict[str, str], path: Path) -> dict[str, str]:
    """Give lesions that show the same skin one group: the name that sorts first."""
    group_of = {lesion: lesion for lesion in lesion_of.values()}
    for first, second in _pairs(path):
        lesions = {group_of[lesion_of[image]] for image in (first, second) if image in lesion_of}
        for lesion, group in group_of.items():
            if group in lesions:
                group_of[lesion] = min(lesions)
    return group_of


def _pairs(path: Path) -> Iterator[tuple[str, str]]:
    if not path.is_file():
        return
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield row["image_id"], row["duplicate_image_id"]
