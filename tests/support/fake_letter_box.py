"""A `LetterBox` in memory: what was published to a dead letter's topic lies in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from digiscope_cloud.dead_letters.letter import Letter
from digiscope_shared.errors import TransientError
from tests.support.fake_pubsub import FakePubsub

_FIRST = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(slots=True, kw_only=True)
class FakeHeldLetter:
    letter: Letter
    acked: set[str]
    fails: bool

    def ack(self) -> None:
        if self.fails:
            raise TransientError("the fake ack was not confirmed")
        self.acked.add(self.letter.message_id)


@dataclass(slots=True)
class FakeLetterBox:
    """`acks_fail = True` is a service that goes away between replay and ack."""

    pubsub: FakePubsub
    acks_fail: bool = False
    _acked: set[str] = field(default_factory=set)

    @contextmanager
    def open(self, place: str) -> Iterator[Iterator[FakeHeldLetter]]:
        if self.pubsub.away:
            raise TransientError("the fake Pub/Sub is away")
        letters = [
            Letter(
                place=place,
                message_id=str(number),
                since=_FIRST + timedelta(seconds=number),
                envelope=published.envelope,
            )
            for number, published in enumerate(self.pubsub.published)
            if published.pubsub_topic_id == place and str(number) not in self._acked
        ]
        yield iter([FakeHeldLetter(letter=letter, acked=self._acked, fails=self.acks_fail) for letter in letters])
