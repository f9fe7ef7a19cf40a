"""Takes one part into custody: stores it, joins the image when it was the last to come, and says what to answer.

Stateless: everything is decided from the bucket, with preconditions. Two replicas may handle the same part, or parts of
the same image, at the same moment.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog

from digiscope_cloud.audit_log.entries import AuditLog, NoAuditLog
from digiscope_cloud.bridge import custody
from digiscope_cloud.bridge.byte_budget import ByteBudget
from digiscope_cloud.bridge.custody import Part
from digiscope_cloud.bridge.settings import ASSEMBLY_COPIES
from digiscope_cloud.ports import AlreadyExistsError, EventPublisher, NotFoundError, ObjectStore, StoredObject
from digiscope_shared import codec, object_names
from digiscope_shared.errors import TransientError
from digiscope_shared.messages import Receipt
from digiscope_shared.pubsub_topics import PubsubTopic

_log = structlog.get_logger()
_PART_TYPE: Final = "application/octet-stream"


class CaptureDesk:
    def __init__(
        self,
        *,
        store: ObjectStore,
        publisher: EventPublisher,
        assembly: ByteBudget,
        utc_now: Callable[[], datetime],
        audit_log: AuditLog | None = None,
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._assembly = assembly
        self._utc_now = utc_now
        self._audit_log = audit_log or NoAuditLog()

    def take(self, part: Part) -> Receipt | None:
        """Return what to tell the device, None where it waits for nothing yet; see the table in `custody`.

        Raises:
            PermanentError: the part or the image is wrong for good.
            TransientError: storage or Pub/Sub failed; doing it all again is harmless.
        """
        if part.capture.parts == 1:
            custody.verify_image(part, part.content)
            return self._keep(part, part.content)
        if self._has_record(part):
            return custody.stored_receipt(part)
        came_again = not self._store_part(part)
        if not (part.is_last or came_again or self._store.find(part.last_object_name)):
            # Whoever stores the last part looks at the whole set after that; it will find this one.
            return None
        return self._try_to_assemble(part, tell=part.is_last or came_again)

    def _has_record(self, part: Part) -> bool:
        record = self._store.find(object_names.capture_record(part.capture.capture_id))
        if record is not None:
            custody.check_claim(part.image_claim, record)
        return record is not None

    def _store_part(self, part: Part) -> bool:
        """Return False where it was there."""
        try:
            self._store.create(
                part.object_name,
                part.content,
                content_type=_PART_TYPE,
                metadata=part.part_claim,
                custom_time=self._utc_now(),
            )
        except AlreadyExistsError:
            return False
        return True

    def _try_to_assemble(self, part: Part, *, tell: bool) -> Receipt | None:
        found = list(self._store.list(object_names.parts_prefix(part.capture.capture_id)))
        missing = custody.missing_parts(part, found)
        if missing:
            return custody.missing_receipt(part, missing) if tell else None
        with self._assembly.holding(ASSEMBLY_COPIES * sum(stored.size for stored in found)):
            content = self._join(found)
            custody.verify_image(part, content)
            return self._keep(part, content)

    def _join(self, found: list[StoredObject]) -> bytes:
        try:
            return b"".join(self._store.read(stored.name)[0] for stored in found)
        except NotFoundError as error:
            # A lifecycle rule deleted it just now: looking again will tell that it is missing.
            raise TransientError(f"a part is gone: {error}") from error

    def _keep(self, part: Part, content: bytes) -> Receipt:
        """Image, then the worker's message, then the record: where the record is, all three are."""
        capture_id = part.capture.capture_id
        try:
            image = self._store.create(
                object_names.image(capture_id),
                content,
                content_type=part.capture.content_type,
                metadata=part.image_claim,
            )
        except AlreadyExistsError:
            image = self._image_that_is_there(part)
            if self._has_record(part):
                return custody.stored_receipt(part)
        stored_at = self._utc_now().isoformat(timespec="milliseconds")
        record = custody.record_of(part, image, uri_prefix=self._store.uri_prefix, stored_at=stored_at)
        self._publisher.publish(PubsubTopic.CAPTURES, custody.record_envelope(record))
        # Before the record: a replica that dies in between leaves a line too many, never one too few.
        self._audit_log.append(custody.acceptance_of(record))
        try:
            self._store.create(
                object_names.capture_record(capture_id),
                codec.encode_json(record),
                content_type="application/json",
                metadata=part.image_claim,
            )
        except AlreadyExistsError:
            _log.info("capture_stored_by_another_replica")
        else:
            _log.info("capture_stored", image_bytes=len(content), parts=part.capture.parts)
        return custody.stored_receipt(part)

    def _image_that_is_there(self, part: Part) -> StoredObject:
        image = self._store.find(object_names.image(part.capture.capture_id))
        if image is None:
            raise TransientError("the image was there and is gone")
        custody.check_claim(part.image_claim, image)
        return image
