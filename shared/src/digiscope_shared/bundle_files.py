"""Reading a bundle's directory: what its manifest lists is there, and is what the manifest says."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from digiscope_shared.errors import PermanentError, Reason


def read_listed(path: Path, manifest_name: str, files: Mapping[str, str], required: Sequence[str]) -> dict[str, bytes]:
    """Return the contents of `files` (name to SHA-256).

    Raises:
        PermanentError: `bad-bundle`: a required file isn't listed, one is missing or changed, or a name leads outside.
    """
    missing = [name for name in required if name not in files]
    if missing:
        raise PermanentError(Reason.BAD_BUNDLE, f"{path / manifest_name}: the manifest lists no {', '.join(missing)}")
    outside = [name for name in files if Path(name).name != name]
    if outside:
        raise PermanentError(Reason.BAD_BUNDLE, f"{path / manifest_name}: {outside[0]!r} is no plain file name")
    contents = {name: read(path, name) for name in files}
    for name, content in contents.items():
        if hashlib.sha256(content).hexdigest() != files[name]:
            raise PermanentError(Reason.BAD_BUNDLE, f"{path / name}: its digest is not the manifest's")
    return contents


def read(path: Path, name: str) -> bytes:
    """Return one file of a bundle; PermanentError `bad-bundle` where it can't be read."""
    try:
        return (path / name).read_bytes()
    except OSError as error:
        raise PermanentError(Reason.BAD_BUNDLE, f"{path / name}: can't be read: {error.strerror}") from error
