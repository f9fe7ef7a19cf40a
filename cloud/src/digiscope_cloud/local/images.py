"""What a demo or bench sends: the user's images, HAM10000 samples that lie beside the project, or drawn phantoms."""

import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import cv2

from digiscope_shared.errors import SettingsError
from digiscope_shared.imaging.phantoms import draw_phantom

IMAGE_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
JPEG_QUALITY: Final = 92
SAMPLES: Final = Path("shared/data/ham10000/samples_600x450.zip")
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSet:
    """Files in the order of sending, and where they come from, in words."""

    paths: tuple[Path, ...]
    origin: str


def samples_beside(checkout: Path) -> Path | None:
    """Return the samples of HAM10000 that lie beside the checkout."""
    samples = checkout.parent / SAMPLES
    return samples if samples.is_file() else None


def gather(count: int, *, into: Path, folder: Path | None, samples: Path | None) -> ImageSet:
    """Copy, unpack or draw `count` images.

    Raises:
        SettingsError: where the folder has no image.
    """
    into.mkdir(parents=True, exist_ok=True)
    if folder is not None:
        return _copied(count, into, folder)
    return _unpacked(count, into, samples) if samples is not None else drawn(count, into)


def drawn(count: int, into: Path) -> ImageSet:
    """Draw phantoms, each from its number: the same on every machine."""
    into.mkdir(parents=True, exist_ok=True)
    paths = tuple(into / f"phantom-{number:05d}.jpg" for number in range(count))
    for number, path in enumerate(paths):
        encoded = cv2.imencode(".jpg", draw_phantom(number), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
        path.write_bytes(encoded.tobytes())
    return ImageSet(paths=paths, origin=f"{count} lesion phantoms that DigiScope drew itself")


def _copied(count: int, into: Path, folder: Path) -> ImageSet:
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
    if not found:
        raise SettingsError(f"{folder}: no image here ({', '.join(sorted(IMAGE_SUFFIXES))})")
    chosen = _spread(found, count)
    paths = tuple(Path(shutil.copy(path, into / f"{number:03d}-{path.name}")) for number, path in enumerate(chosen))
    return ImageSet(paths=paths, origin=f"{len(paths)} of the {len(found)} images in {folder}")


def _unpacked(count: int, into: Path, samples: Path) -> ImageSet:
    with zipfile.ZipFile(samples) as archive:
        names = sorted(name for name in archive.namelist() if Path(name).suffix.lower() in IMAGE_SUFFIXES)
        paths = []
        for name in _spread(names, count):
            path = into / Path(name).name
            path.write_bytes(archive.read(name))
            paths.append(path)
    return ImageSet(paths=tuple(paths), origin=f"{len(paths)} dermatoscopic images of HAM10000 (CC BY-NC 4.0)")


def _spread(items: list[T], count: int) -> list[T]:
    """Return `count` of the items, evenly apart."""
    return [items[index * len(items) // count] for index in range(count)] if count < len(items) else items
