"""Dead letters' subscriptions as a `LetterBox`: pulled by hand, under a lease, and given back.

To give back is to nack, which counts as a delivery attempt. Nothing counts them here, for a dead letter's subscription
has no dead letter of its own: a listing consumes nothing, however often it is made.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from google.api_core import exceptions as google_errors
from google.auth.exceptions import GoogleAuthError

from digiscope_cloud.adapters.pubsub_subscriber import subscriber_client
from digiscope_cloud.dead_letters.letter import Letter
from digiscope_cloud.settings import CloudSettings
from digiscope_shared.codec import Envelope
from digiscope_shared.errors import TransientError

log = structlog.get_logger()
_PULLED_AT_ONCE: Final = 100
# Ack ids of a request, so that it stays far below Pub/Sub's 512 KiB.
_GIVEN_BACK_AT_ONCE: Final = 1000
# Longer than the handling of one pull; a command that is killed hides its letters for this long.
_LEASE_S: Final = 120
# An empty place is known as such when two pulls in a row bring nothing: one may, although there is something.
_QUIET_PULLS: Final = 2
_CALL_S: Final = 10.0


@dataclass(slots=True, kw_only=True)
class _OpenPlace:
    """One place while it is looked into: the leases that are still held, by message id."""

    client: Any
    path: str
    place: str
    leases: dict[str, str] = field(default_factory=dict)

    def letters(self, wait_s: float) -> Iterator["PubsubHeldLetter"]:
        seen: set[str] = set()
        quiet = -1
        while quiet < _QUIET_PULLS:
            # The first is answered at once: a service that is away must not be taken for a place that is empty.
            pulled = self._pull(wait_s, at_once=quiet < 0)
            # What comes again outlived its lease: the newer lease counts.
            self.leases.update({each.message.message_id: each.ack_id for each in pulled})
            new = [each.message for each in pulled if each.message.message_id not in seen]
            seen.update(message.message_id for message in new)
            quiet = 0 if new else quiet + 1
            for message in new:
                yield PubsubHeldLetter(letter=_letter(self.place, message), place=self)

    def ack(self, message_id: str) -> None:
        with _translated_errors(self.place):
            self.client.acknowledge(subscription=self.path, ack_ids=[self.leases[message_id]], timeout=_CALL_S)
        del self.leases[message_id]

    def give_back(self) -> None:
        ack_ids = list(self.leases.values())
        try:
            for start in range(0, len(ack_ids), _GIVEN_BACK_AT_ONCE):
                self._lease(ack_ids[start : start + _GIVEN_BACK_AT_ONCE], 0)
        except TransientError as error:
            log.warning("letters_not_given_back", place=self.place, error=str(error), back_within_s=_LEASE_S)

    def _pull(self, wait_s: float, *, at_once: bool) -> list[Any]:
        request = {"subscription": self.path, "max_messages": _PULLED_AT_ONCE, "return_immediately": at_once}
        with _translated_errors(self.place):
            try:
                # The emulator answers a second before the deadline where nothing comes, Pub/Sub may let it pass.
                timeout_s = _CALL_S if at_once else wait_s + 1
                pulled = list(self.client.pull(request=request, timeout=timeout_s, retry=None).received_messages)
            except google_errors.DeadlineExceeded:
                if at_once:
                    raise
                return []
        if pulled:
            self._lease([each.ack_id for each in pulled], _LEASE_S)
        return pulled

    def _lease(self, ack_ids: list[str], seconds: int) -> None:
        with _translated_errors(self.place):
            self.client.modify_ack_deadline(
                subscription=self.path, ack_ids=ack_ids, ack_deadline_seconds=seconds, timeout=_CALL_S
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class PubsubHeldLetter:
    letter: Letter
    place: _OpenPlace

    def ack(self) -> None:
        self.place.ack(self.letter.message_id)


class PubsubLetterBox:
    """`wait_s`: how long a pull waits for something to come."""

    def __init__(self, settings: CloudSettings, *, wait_s: float = 1.0) -> None:
        self._project = settings.project
        self._wait_s = wait_s
        self._client = subscriber_client()

    @contextmanager
    def open(self, place: str) -> Iterator[Iterator[PubsubHeldLetter]]:
        path = self._client.subscription_path(self._project, place)
        opened = _OpenPlace(client=self._client, path=path, place=place)
        try:
            yield opened.letters(self._wait_s)
        finally:
            opened.give_back()

    def close(self) -> None:
        self._client.close()


def _letter(place: str, message: Any) -> Letter:
    return Letter(
        place=place,
        message_id=message.message_id,
        since=message.publish_time,
        envelope=Envelope(attributes=dict(message.attributes), body=message.data),
    )


@contextmanager
def _translated_errors(place: str) -> Iterator[None]:
    try:
        yield
    except google_errors.NotFound as error:
        raise TransientError(f"no subscription {place!r}: digiscope-cloud provision") from error
    except (google_errors.GoogleAPIError, GoogleAuthError) as error:
        raise TransientError(f"Pub/Sub, {place}: {type(error).__name__}: {error}") from error
