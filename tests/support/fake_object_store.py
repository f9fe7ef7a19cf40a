"""An `ObjectStore` in memory."""

import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from digiscope_cloud.ports import AlreadyExistsError, ConflictError, NotFoundError, StoredObject
from digiscope_shared.errors import TransientError

_FIRST = datetime(2026, 1, 1, tzinfo=UTC)


class FakeObjectStore:
    """`away = True` makes every call fail as a service that can't be reached."""

    def __init__(self, bucket: str = "fake-bucket") -> None:
        self.uri_prefix = f"gs://{bucket}/"
        self.objects: dict[str, tuple[bytes, StoredObject]] = {}
        self.custom_times: dict[str, datetime] = {}
        self.away = False
        self._generation = 0
        self._lock = threading.RLock()

    def create(
        self,
        name: str,
        content: bytes,
        *,
        content_type: str,
        metadata: dict[str, str] | None = None,
        custom_time: datetime | None = None,
    ) -> StoredObject:
        with self._lock:
            self._check_there()
            if name in self.objects:
                raise AlreadyExistsError(name)
            if custom_time is not None:
                self.custom_times[name] = custom_time
            return self._write(name, content, metadata or {})

    def replace(self, name: str, content: bytes, *, content_type: str, generation: int) -> StoredObject:
        with self._lock:
            self._check_there()
            found = self.objects.get(name)
            if (found[1].generation if found else 0) != generation:
                raise ConflictError(name)
            return self._write(name, content, {})

    def read(self, name: str) -> tuple[bytes, StoredObject]:
        with self._lock:
            self._check_there()
            if name not in self.objects:
                raise NotFoundError(name)
            content, stored = self.objects[name]
            return content, StoredObject(name=name, generation=stored.generation, size=stored.size, metadata={})

    def find(self, name: str) -> StoredObject | None:
        with self._lock:
            self._check_there()
            found = self.objects.get(name)
            return found[1] if found else None

    def list(self, prefix: str) -> Iterable[StoredObject]:
        with self._lock:
            self._check_there()
            return [stored for name, (_, stored) in sorted(self.objects.items()) if name.startswith(prefix)]

    def _write(self, name: str, content: bytes, metadata: dict[str, str]) -> StoredObject:
        self._generation += 1
        stored = StoredObject(
            name=name,
            generation=self._generation,
            size=len(content),
            metadata=dict(metadata),
            created_at=_FIRST + timedelta(seconds=self._generation),
        )
        self.objects[name] = (content, stored)
        return stored

    def _check_there(self) -> None:
        if self.away:
            raise TransientError("the fake object store is away")
