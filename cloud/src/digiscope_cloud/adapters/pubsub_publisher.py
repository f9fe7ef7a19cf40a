"""Pub/Sub as an `EventPublisher`: one request for each message, done when the service has confirmed it."""

from typing import Any, Final

from google.api_core import exceptions as google_errors
from google.api_core.retry import Retry, if_exception_type
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
from google.pubsub_v1 import PublisherClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport

from digiscope_cloud.adapters.pubsub_channel import client_arguments
from digiscope_cloud.settings import CloudSettings
from digiscope_shared.codec import Envelope
from digiscope_shared.errors import PermanentError, Reason, SettingsError, TransientError

# https://cloud.google.com/pubsub/quotas#resource_limits; the emulator doesn't hold them.
MAX_ATTRIBUTES: Final = 100
MAX_KEY_BYTES: Final = 256
MAX_VALUE_BYTES: Final = 1024
MAX_MESSAGE_BYTES: Final = 10_000_000 - 100_000
_WORTH_RETRYING: Final = (
    google_errors.Aborted,
    google_errors.DeadlineExceeded,
    google_errors.InternalServerError,
    google_errors.ResourceExhausted,
    google_errors.ServiceUnavailable,
    google_errors.Unknown,
)


class PubsubPublisher:
    """Calls the publish request itself, not the library's batching publisher.

    That one keeps messages in a queue of its own, retries ordered ones for ever and pauses their key after a failure,
    while our callers hold the message until it is confirmed anyway. A request each is also five times as quick here.
    """

    def __init__(self, settings: CloudSettings, *, timeout_s: float = 10.0, confirm_within_s: float = 30.0) -> None:
        self._project = settings.project
        self._client = publisher_client()
        self._timeout_s = timeout_s
        self._retry = Retry(
            predicate=if_exception_type(*_WORTH_RETRYING), initial=0.1, maximum=5.0, timeout=confirm_within_s
        )

    def publish(self, pubsub_topic_id: str, envelope: Envelope, *, ordering_key: str = "") -> None:
        check_limits(envelope)
        message = {"data": envelope.body, "attributes": dict(envelope.attributes), "ordering_key": ordering_key}
        try:
            self._client.publish(
                topic=f"projects/{self._project}/topics/{pubsub_topic_id}",
                messages=[message],
                retry=self._retry,
                timeout=self._timeout_s,
            )
        except google_errors.InvalidArgument as error:
            raise PermanentError(Reason.BAD_BODY, f"Pub/Sub refuses it: {error}") from error
        except (google_errors.GoogleAPIError, GoogleAuthError) as error:
            raise TransientError(f"Pub/Sub, {pubsub_topic_id}: {type(error).__name__}: {error}") from error

    def close(self) -> None:
        self._client.transport.close()


def publisher_client() -> Any:
    """Return Google's plain client for topics and publishing."""
    try:
        return PublisherClient(**client_arguments(PublisherGrpcTransport))
    except DefaultCredentialsError as error:
        raise SettingsError(f"no credentials for Pub/Sub: {error}") from error


def check_limits(envelope: Envelope) -> None:
    """Refuse what Pub/Sub would refuse for ever.

    Raises:
        PermanentError: `bad-attributes`, `bad-body` or `too-large`.
    """
    if not envelope.body and not envelope.attributes:
        raise PermanentError(Reason.BAD_BODY, "neither body nor attributes")
    sizes = [(len(key.encode()), len(value.encode())) for key, value in envelope.attributes.items()]
    if len(sizes) > MAX_ATTRIBUTES:
        raise PermanentError(Reason.BAD_ATTRIBUTES, f"{len(sizes)} attributes, at most {MAX_ATTRIBUTES}")
    if any(not 0 < key_bytes <= MAX_KEY_BYTES or value_bytes > MAX_VALUE_BYTES for key_bytes, value_bytes in sizes):
        raise PermanentError(
            Reason.BAD_ATTRIBUTES, f"a name over {MAX_KEY_BYTES} or a value over {MAX_VALUE_BYTES} bytes"
        )
    if any(key.startswith("goog") for key in envelope.attributes):
        raise PermanentError(Reason.BAD_ATTRIBUTES, "names that begin with 'goog' are Google's")
    message_bytes = len(envelope.body) + sum(map(sum, sizes))
    if message_bytes > MAX_MESSAGE_BYTES:
        raise PermanentError(Reason.TOO_LARGE, f"{message_bytes} bytes, at most {MAX_MESSAGE_BYTES}")
