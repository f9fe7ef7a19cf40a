"""What the cloud's processes need of the outside; adapters for Google Cloud and fakes for tests implement it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from digiscope_shared.codec import Envelope
from digiscope_shared.errors import DigiScopeError
from digiscope_shared.pubsub_topics import Subscription


class AlreadyExistsError(DigiScopeError):
    """The object is there already: a repeat, or somebody else's. Look before you decide which."""


class NotFoundError(DigiScopeError):
    """No such object."""


class ConflictError(DigiScopeError):
    """The object changed since its generation was read: read again, decide again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object's name, generation and custom metadata; `size` in bytes; `created_at` None where `read` returned it."""

    name: str
    generation: int
    size: int
    metadata: dict[str, str]
    created_at: datetime | None = None


class ObjectStore(Protocol):
    """One Cloud Storage bucket. Every method raises TransientError where the service failed."""

    @property
    def uri_prefix(self) -> str:
        """Return `gs://bucket/`."""

    def create(
        self,
        name: str,
        content: bytes,
        *,
        content_type: str,
        metadata: dict[str, str] | None = None,
        custom_time: datetime | None = None,
    ) -> StoredObject:
        """Write only where nothing is (`if_generation_match=0`); AlreadyExistsError otherwise.

        An object with a custom time is deleted by the bucket's lifecycle rule a day after it.
        """

    def replace(self, name: str, content: bytes, *, content_type: str, generation: int) -> StoredObject:
        """Write only over that generation (0: only where nothing is); ConflictError otherwise."""

    def read(self, name: str) -> tuple[bytes, StoredObject]:
        """Return content and what it is, without its metadata, which `find` tells; NotFoundError."""

    def find(self, name: str) -> StoredObject | None:
        """Return what it is, without its content; None where it isn't."""

    def list(self, prefix: str) -> Iterable[StoredObject]:
        """List in name order."""


class EventPublisher(Protocol):
    """Publishes to Pub/Sub and returns when the service has confirmed."""

    def publish(self, pubsub_topic_id: str, envelope: Envelope, *, ordering_key: str = "") -> None:
        """Raise TransientError where the service did not confirm in time, PermanentError where it never will.

        One ordering key keeps its order if one thread at a time publishes it.
        """


class Delivery(Protocol):
    """One delivery of one Pub/Sub message; exactly one of `ack` and `nack` ends it."""

    @property
    def envelope(self) -> Envelope: ...

    @property
    def attempt(self) -> int:
        """How often it was delivered, from 1; 0 where the subscription doesn't count."""

    def ack(self) -> None: ...

    def nack(self) -> None: ...


class EventSubscriber(Protocol):
    """A streaming pull, supervised: when the stream ends, it is opened again with backoff, until `close`."""

    def start(
        self, subscription: Subscription, on_delivery: Callable[[Delivery], None], *, max_messages: int, max_bytes: int
    ) -> None:
        """Deliver on the subscriber's own threads. Leases are extended until ack or nack, `max_lease_s` at most."""

    def close(self) -> None:
        """Stop delivering and wait, with a deadline, for the handlers that run."""
