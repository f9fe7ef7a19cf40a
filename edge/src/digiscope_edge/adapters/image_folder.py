"""Image files beside the database: written whole or not at all, read against their hash, really gone when freed."""

import errno
import hashlib
import os
import shutil
from pathlib import Path
from typing import Final

from digiscope_edge.adapters.image_cipher import ImageCipher, check_key
from digiscope_edge.ports import DamagedImageError, OutboxFullError

TEMPORARY: Final = ".tmp"


class ImageFolder:
    """Files are named by their capture id. Directories 0700, files 0600; sealed where there is a cipher."""

    def __init__(self, folder: Path, orphans: Path, cipher: ImageCipher | None = None) -> None:
        self._folder, self._orphans, self._cipher = folder, orphans, cipher
        self._key_checked = False
        for path in (folder, orphans):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Somebody may have made it before us, with a wider mode.
            path.chmod(0o700)

    def path(self, capture_id: str) -> Path:
        return self._folder / capture_id

    def free_bytes(self) -> int:
        return shutil.disk_usage(self._folder).free

    def write(self, capture_id: str, content: bytes) -> None:
        """Write through to the disk: file, then name. OutboxFullError where the disk has no room."""
        self._check_key()
        if self._cipher is not None:
            content = self._cipher.seal(capture_id, content)
        temporary = self._folder / (capture_id + TEMPORARY)
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(self.path(capture_id))
        except OSError as error:
            temporary.unlink(missing_ok=True)
            if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
                raise OutboxFullError("the disk is full") from error
            raise
        self._sync()

    def read(self, capture_id: str, image_sha256: str) -> bytes:
        """Return the content; DamagedImageError where it isn't what was accepted; OSError where the disk fails."""
        self._check_key()
        try:
            content = self.path(capture_id).read_bytes()
        except FileNotFoundError:
            raise DamagedImageError("missing") from None
        if self._cipher is not None:
            content = self._cipher.open(capture_id, content)
        if hashlib.sha256(content).hexdigest() != image_sha256:
            raise DamagedImageError("damaged")
        return content

    def delete(self, capture_id: str) -> None:
        self.path(capture_id).unlink(missing_ok=True)
        self._sync()

    def names(self) -> set[str]:
        return {path.name for path in self._folder.iterdir()}

    def set_aside(self, name: str) -> None:
        """Move a file that no row speaks of to `orphans/`: a person decides."""
        (self._folder / name).replace(self._orphans / name)
        self._sync()

    def orphans(self) -> int:
        return sum(1 for _ in self._orphans.iterdir())

    def _check_key(self) -> None:
        """At the first image, not at the start: `status` reads none, and another terminal may not have the key."""
        if not self._key_checked:
            check_key(self._cipher, self._folder.with_name(self._folder.name + ".key-id"), self._folder)
            self._key_checked = True

    def _sync(self) -> None:
        """A new or removed name is on the disk only when its directory is."""
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
