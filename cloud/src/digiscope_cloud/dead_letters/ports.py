"""What the dead letters' commands need beside `digiscope_cloud.ports`."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from digiscope_cloud.dead_letters.letter import Letter


class HeldLetter(Protocol):
    """A letter under a lease."""

    @property
    def letter(self) -> Letter: ...

    def ack(self) -> None:
        """Take it away for good; TransientError where that was not confirmed: then it lies there still."""


class LetterBox(Protocol):
    """The dead letters' subscriptions. Pub/Sub can't be browsed: looking is leasing, and giving back."""

    def open(self, place: str) -> AbstractContextManager[Iterator[HeldLetter]]:
        """Lease what lies there, each letter once; on leaving, what wasn't acked is given back at once.

        TransientError where the service failed, or there is no such place.
        """
