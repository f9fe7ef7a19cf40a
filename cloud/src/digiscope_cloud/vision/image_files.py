"""Pictures in a folder or a zip file, by name."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final
from zipfile import BadZipFile, ZipFile

from digiscope_shared.errors import SettingsError

SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})


def read_images(source: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name without suffix and content, in name order.

    Raises:
        SettingsError: neither a folder nor a zip file, or no picture in it.
    """
    found = False
    for name, content in _zipped(source) if source.is_file() else _in_folder(source):
        found = True
        yield Path(name).stem, content
    if not found:
        raise SettingsError(f"{source}: no picture ({', '.join(sorted(SUFFIXES))}) in it")


def _in_folder(source: Path) -> Iterator[tuple[str, bytes]]:
    if not source.is_dir():
        raise SettingsError(f"{source}: no such folder or zip file")
    for path in sorted(source.iterdir()):
        if path.suffix.lower() in SUFFIXES:
            yield path.name, path.read_bytes()


def _zipped(source: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with ZipFile(source) as archive:
            for name in sorted(archive.namelist()):
                if Path(name).suffix.lower() in SUFFIXES:
                    yield name, archive.read(name)
    except BadZipFile as error:
        raise SettingsError(f"{source}: not a zip file") from error
