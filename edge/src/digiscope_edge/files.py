"""Image files as somebody named them on a command line."""

from pathlib import Path

from digiscope_edge.ports import SourceImage
from digiscope_shared.errors import SettingsError
from digiscope_shared.messages.capture import MAX_IMAGE_BYTES


def read_image_file(path: Path, *, source: str) -> SourceImage:
    """Read a file, bounded; the intake refuses what is cut off here. SettingsError where it can't be read."""
    try:
        with path.open("rb") as file:
            return SourceImage(source=source, content=file.read(2 * MAX_IMAGE_BYTES))
    except OSError as error:
        raise SettingsError(f"{path}: can't be read: {error.strerror}") from error
