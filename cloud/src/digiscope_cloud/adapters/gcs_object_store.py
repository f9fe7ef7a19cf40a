"""Cloud Storage as an `ObjectStore`; finds the emulator by STORAGE_EMULATOR_HOST, as Google's own library does."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

import requests
from google.api_core import exceptions as google_errors
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.cloud import storage
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
from google.cloud.storage.retry import DEFAULT_RETRY

from digiscope_cloud.ports import AlreadyExistsError, ConflictError, NotFoundError, StoredObject
from digiscope_cloud.settings import CloudSettings
from digiscope_shared.errors import SettingsError, TransientError

# A missing permission is a person's mistake, not the message's: it is waited out, never dead-lettered.
_SERVICE_FAILED: Final = (
    google_errors.GoogleAPIError,
    GoogleAuthError,
    InvalidResponse,
    DataCorruption,
    requests.RequestException,
    ConnectionError,
)
CONNECT_TIMEOUT_S: Final = 5.0
# Above this, Google's library uploads in a resumable session.
_ONE_REQUEST_BYTES: Final = 8 * 1024 * 1024


class GcsObjectStore:
    """One bucket. Each request ends within `timeout_s`; a failed one is tried again for `retry_s`."""

    def __init__(self, settings: CloudSettings, *, timeout_s: float = 30.0, retry_s: float = 20.0) -> None:
        self._bucket = storage_client(settings.project).bucket(settings.bucket)
        # Every write here carries a generation precondition, so that a repeat of it is safe.
        self._calls = {"timeout": (CONNECT_TIMEOUT_S, timeout_s), "retry": DEFAULT_RETRY.with_timeout(retry_s)}

    @property
    def uri_prefix(self) -> str:
        return f"gs://{self._bucket.name}/"

    def create(
        self,
        name: str,
        content: bytes,
        *,
        content_type: str,
        metadata: dict[str, str] | None = None,
        custom_time: datetime | None = None,
    ) -> StoredObject:
        # A look is cheaper than a large upload in vain, and fake-gcs-server ignores the precondition of a session.
        if len(content) > _ONE_REQUEST_BYTES and self.find(name) is not None:
            raise AlreadyExistsError(name)
        blob = self._bucket.blob(name)
        blob.metadata = metadata or {}
        if custom_time is not None:
            blob.custom_time = custom_time
        try:
            return self._upload(blob, content, content_type=content_type, generation=0)
        except google_errors.PreconditionFailed as error:
            raise AlreadyExistsError(name) from error

    def replace(self, name: str, content: bytes, *, content_type: str, generation: int) -> StoredObject:
        try:
            return self._upload(self._bucket.blob(name), content, content_type=content_type, generation=generation)
        except google_errors.PreconditionFailed as error:
            raise ConflictError(name) from error

    def read(self, name: str) -> tuple[bytes, StoredObject]:
        blob = self._bucket.blob(name)
        with _translated_errors(name):
            content: bytes = blob.download_as_bytes(**self._calls)
        # One request: a media download tells the generation, but not the custom metadata.
        return content, StoredObject(name=name, generation=int(blob.generation), size=len(content), metadata={})

    def find(self, name: str) -> StoredObject | None:
        with _translated_errors(name):
            blob = self._bucket.get_blob(name, **self._calls)
        return None if blob is None else _stored(blob)

    def list(self, prefix: str) -> Iterable[StoredObject]:
        with _translated_errors(prefix):
            return [_stored(blob) for blob in self._bucket.list_blobs(prefix=prefix, **self._calls)]

    def _upload(self, blob: Any, content: bytes, *, content_type: str, generation: int) -> StoredObject:
        with _translated_errors(blob.name):
            try:
                blob.upload_from_string(
                    content, content_type=content_type, if_generation_match=generation, checksum="crc32c", **self._calls
                )
            except google_errors.NotFound as error:
                raise TransientError(f"no bucket {self._bucket.name!r}: digiscope-cloud provision") from error
        return _stored(blob)


def storage_client(project: str) -> Any:
    """Return Google's client, without credentials where STORAGE_EMULATOR_HOST names an emulator."""
    if os.environ.get("STORAGE_EMULATOR_HOST"):
        return storage.Client(project=project, credentials=AnonymousCredentials())
    try:
        return storage.Client(project=project)
    except DefaultCredentialsError as error:
        raise SettingsError(f"no credentials for Cloud Storage: {error}") from error


def _stored(blob: Any) -> StoredObject:
    return StoredObject(
        name=blob.name,
        generation=int(blob.generation),
        size=int(blob.size),
        metadata=dict(blob.metadata or {}),
        created_at=blob.time_created,
    )


@contextmanager
def _translated_errors(name: str) -> Iterator[None]:
    """Turn the library's errors into ours; a failed precondition is left to the caller, who knows what it means."""
    try:
        yield
    except google_errors.PreconditionFailed:
        raise
    except google_errors.NotFound as error:
        raise NotFoundError(name) from error
    except _SERVICE_FAILED as error:
        raise TransientError(f"Cloud Storage, {name}: {type(error).__name__}: {error}") from error
