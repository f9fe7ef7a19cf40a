"""`digiscope-cloud audit`: does this split leak?"""

import csv
import json
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.progress import track

from digiscope_cloud.learning.datasets.image_store import open_images
from digiscope_cloud.learning.leak_audit import Leaks, Row, audit, fingerprint
from digiscope_shared.errors import DigiScopeError, PermanentError, SettingsError
from digiscope_shared.imaging.decode import decode_bgr
from digiscope_shared.lesions import DISCLAIMER

_COLUMNS: Final = ("image", "group", "part")
_SHOWN: Final = 5


@click.command("audit")
@click.option("--split", type=click.Path(path_type=Path), required=True, help="CSV with the columns image,group,part.")
@click.option("--images", type=click.Path(path_type=Path), required=True, help="Folder or zip file of the images.")
@click.option("--train-part", default="train", show_default=True, help="What the training part is called.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def audit_command(split: Path, images: Path, train_part: str, as_json: bool) -> None:  # noqa: FBT001, a flag
    """Look for held-out images that training has seen: copies, near copies, lesions on both sides.

    Exit code 0 where nothing leaks, 1 where something does, 2 for wrong input.

    \b
    Example:
      digiscope-cloud audit --split split.csv --images images.zip
    """
    try:
        rows = read_split(split, train_part)
        read = open_images(images)
    except DigiScopeError as error:
        raise click.UsageError(str(error)) from error
    known, prints, unreadable = [], [], []
    for row in track(rows, "fingerprints", console=Console(stderr=True), transient=True):
        try:
            prints.append(fingerprint(decode_bgr(read(Path(row.image).stem))))
            known.append(row)
        except (PermanentError, KeyError, OSError):
            unreadable.append(row.image)
    found = audit(known, prints, train_part=train_part)
    click.echo(_machine(found, unreadable) if as_json else _human(found, unreadable))
    raise SystemExit(1 if found.leaks else 0)


def read_split(path: Path, train_part: str) -> list[Row]:
    """Return the rows; SettingsError where it isn't such a file."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise SettingsError(f"{path}: expected the columns {', '.join(_COLUMNS)}; {missing[0]!r} is missing")
            rows = [Row(**{name: line[name] or "" for name in _COLUMNS}) for line in reader]
    except OSError as error:
        raise SettingsError(f"{path}: can't be read: {error.strerror}") from error
    if train_part not in {row.part for row in rows}:
        raise SettingsError(f"{path}: no row is in the part {train_part!r}; name yours with --train-part")
    return rows


def _machine(found: Leaks, unreadable: list[str]) -> str:
    return json.dumps(
        {
            "leaks": found.leaks,
            "held_out": found.held_out,
            "copies": found.copies,
            "near_copies": found.near_copies,
            "shared_groups": found.shared_groups,
            "unreadable": unreadable,
        }
    )


def _human(found: Leaks, unreadable: list[str]) -> str:
    lines = [f"{found.held_out} held-out images, {len(unreadable)} images left out as unreadable"]
    for title, pairs in (
        ("pixel copies of training images", found.copies),
        ("near copies of training images", found.near_copies),
        ("show a lesion of the training part", found.shared_groups),
    ):
        lines.append(f"{len(pairs):6d} ({len(pairs) / max(1, found.held_out):.1%}) {title}")
        lines += [f"         {image} is like {twin}" for image, twin in list(pairs.items())[:_SHOWN]]
    return "\n".join([*lines, "LEAKS" if found.leaks else "nothing leaks", DISCLAIMER])
