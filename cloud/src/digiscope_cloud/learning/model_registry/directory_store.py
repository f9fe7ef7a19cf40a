"""A directory as an `ObjectStore`: a registry on one machine, for one person at a time."""

import hashlib
import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from digiscope_cloud.ports import AlreadyExistsError, ConflictError, NotFoundError, StoredObject


class DirectoryObjectStore:
    """Objects are files; a generation is taken from the content's hash."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def uri_prefix(self) -> str:
        return f"{self._root}/"

    def create(
        self,
        name: str,
        content: bytes,
        *,
        content_type: str,  # noqa: ARG002, the port's
        metadata: dict[str, str] | None = None,  # noqa: ARG002
        custom_time: datetime | None = None,  # noqa: ARG002
    ) -> StoredObject:
        path = self._root / name
        draft = self._draft(path, content)
        try:
            # A link fails where something is; a rename would replace it.
            os.link(draft, path)
        except FileExistsError:
            raise AlreadyExistsError(name) from None
        finally:
            draft.unlink()
        return _described(name, content)

    def replace(self, name: str, content: bytes, *, content_type: str, generation: int) -> StoredObject:
        if generation == 0:
            try:
                return self.create(name, content, content_type=content_type)
            except AlreadyExistsError as error:
                raise ConflictError(name) from error
        found = self.find(name)
        if found is None or found.generation != generation:
            raise ConflictError(name)
        self._draft(self._root / name, content).replace(self._root / name)
        return _described(name, content)

    def read(self, name: str) -> tuple[bytes, StoredObject]:
        try:
            content = (self._root / name).read_bytes()
        except (FileNotFoundError, IsADirectoryError):
            raise NotFoundError(name) from None
        return content, _described(name, content)

    def find(self, name: str) -> StoredObject | None:
        try:
            return self.read(name)[1]
        except NotFoundError:
            return None

    def list(self, prefix: str) -> Iterable[StoredObject]:
        paths = sorted(path for path in self._root.rglob("*") if path.is_file())
        names = (path.relative_to(self._root).as_posix() for path in paths)
        return [self.read(name)[1] for name in names if name.startswith(prefix)]

    @staticmethod
    def _draft(path: Path, content: bytes) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_bytes(content)
        return draft


def _described(name: str, content: bytes) -> StoredObject:
    generation = int(hashlib.sha256(content).hexdigest()[:15], 16) + 1
    return StoredObject(name=name, generation=generation, size=len(content), metadata={})
