"""A small file system of its own for one device, so that filling it fills nothing else. Needs root."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SIZE_MIB: Final = 48
FILLER: Final = "filler"


def can_mount() -> bool:
    return os.geteuid() == 0


@contextmanager
def mounted(folder: Path) -> Iterator[Path]:
    """Mount a tmpfs on the folder for as long as the block lasts."""
    folder.mkdir(parents=True, exist_ok=True)
    _mount("-t", "tmpfs", "-o", f"size={SIZE_MIB}m,mode=700", "tmpfs", str(folder))
    try:
        yield folder
    finally:
        # Lazily: an agent that was just killed may still be letting go of its files.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # noqa: S603, S607


@contextmanager
def full(folder: Path) -> Iterator[None]:
    """Leave not one byte free."""
    filler = folder / FILLER
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(65_536))
        except OSError:
            pass
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Refuse every write, as a worn-out SD card does. Nobody may hold a file open for writing then."""
    _mount("-o", "remount,ro", str(folder))
    try:
        yield
    finally:
        _mount("-o", "remount,rw", str(folder))


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)  # noqa: S603, S607 our own arguments
