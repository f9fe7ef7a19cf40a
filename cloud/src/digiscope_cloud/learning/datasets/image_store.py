"""Images by id, from a folder or a zip file, whatever their extension."""

import threading
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Final

from digiscope_shared.errors import SettingsError

_EXTENSIONS: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp"})


def open_images(source: Path) -> Callable[[str], bytes]:
    """Return a reader from image id to bytes; it raises KeyError where there is no such image.

    Raises:
        SettingsError: neither a folder nor a zip file.
    """
    if source.is_dir():
        paths = {path.stem: path for path in source.rglob("*") if path.suffix.lower() in _EXTENSIONS}
        return lambda image_id: paths[image_id].read_bytes()
    if source.is_file() and zipfile.is_zipfile(source):
        return _zip_reader(source)
    raise SettingsError(f"{source}: expected a folder or a zip file of images ({', '.join(sorted(_EXTENSIONS))})")


def _zip_reader(source: Path) -> Callable[[str], bytes]:
    archive = zipfile.ZipFile(source)
    names = {
        PurePosixPath(name).stem: name
        for name in archive.namelist()
        if PurePosixPath(name).suffix.lower() in _EXTENSIONS
    }
    lock = threading.Lock()

    def read(image_id: str) -> bytes:
        with lock:
            return archive.read(names[image_id])

    return read
