"""Any images with a table of labels: `image_id, dx`, and `lesion_id`, `group_id`, `age`, `sex`, `part` if there."""

import csv
from pathlib import Path

from digiscope_cloud.learning.datasets.examples import Dataset, Example
from digiscope_cloud.learning.datasets.image_store import open_images
from digiscope_shared.errors import SettingsError
from digiscope_shared.lesions import LesionClass


def open_labelled(images: Path, labels: Path, *, part: str = "") -> Dataset:
    """Return the rows of the table, or those of one `part` of it.

    Raises:
        SettingsError: the table or the images aren't what is expected.
    """
    rows = _read_rows(labels)
    if part:
        rows = [row for row in rows if row.get("part") == part]
        if not rows:
            raise SettingsError(f"{labels}: no row has {part!r} in a column 'part'")
    return Dataset(name=labels.name, examples=tuple(_example(row, labels) for row in rows), read=open_images(images))


def _read_rows(labels: Path) -> list[dict[str, str]]:
    try:
        with labels.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [name for name in ("image_id", "dx") if name not in (reader.fieldnames or ())]
            if missing:
                raise SettingsError(f"{labels}: expected the columns image_id and dx; {missing[0]!r} is missing")
            return list(reader)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{labels}: can't be read as a CSV table: {error}") from error


def _example(row: dict[str, str], labels: Path) -> Example:
    try:
        lesion_class = LesionClass(row["dx"])
    except ValueError:
        raise SettingsError(f"{labels}: {row['image_id']}: {row['dx']!r} is none of {', '.join(LesionClass)}") from None
    image_id = Path(row["image_id"]).stem if "." in row["image_id"] else row["image_id"]
    return Example(
        image_id=image_id,
        group=row.get("group_id") or row.get("lesion_id") or image_id,
        lesion_class=lesion_class,
        age=float(row["age"]) if row.get("age") else None,
        sex=row.get("sex") or "",
        site=row.get("localization") or "",
    )
