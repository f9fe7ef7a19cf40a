"""Looks at dead letters, replays and drops them. Nothing is taken away before what became of it is sure and noted."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum

from digiscope_cloud.audit_log.entries import Act, AuditEntry, AuditLog
from digiscope_cloud.dead_letters.letter import Letter
from digiscope_cloud.dead_letters.ports import LetterBox
from digiscope_cloud.dead_letters.replay import Replayer
from digiscope_shared.errors import PermanentError
from digiscope_shared.pubsub_topics import DEAD_LETTERS


class Ending(StrEnum):
    """What became of a letter: the first two are gone from their place."""

    REPLAYED = "replayed"
    DROPPED = "dropped"
    REFUSED = "refused again"
    NOT_THERE = "not there"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    letter: Letter
    ending: Ending
    detail: str = ""


class DeadLetterDesk:
    """`actor` is the person who is noted in the audit log."""

    def __init__(self, *, box: LetterBox, replayer: Replayer, audit_log: AuditLog, actor: str) -> None:
        self._box = box
        self._replayer = replayer
        self._audit_log = audit_log
        self._actor = actor

    def letters(self, places: Sequence[str] = DEAD_LETTERS, *, reason: str = "") -> list[Letter]:
        """List what lies there, oldest first, without bodies; TransientError where a place can't be looked into."""
        # Each place is looked into until it has been quiet for a while: one after the other would take minutes.
        with ThreadPoolExecutor(len(places)) as threads:
            found = [letter for letters in threads.map(self._look_into, places) for letter in letters]
        return sorted((each for each in found if reason in ("", each.reason)), key=lambda letter: letter.since)

    def find(self, key: str) -> Letter | None:
        """Return one letter with its body."""
        for letter in self.letters():
            if letter.key == key:
                with self._box.open(letter.place) as held_letters:
                    return next((held.letter for held in held_letters if held.letter.key == key), None)
        return None

    def replay(self, letters: Sequence[Letter]) -> Iterator[Outcome]:
        """Send each where it belongs; what is refused again stays. TransientError: the rest stays too."""
        return self._settle(letters, self._replay)

    def drop(self, letters: Sequence[Letter], *, why: str) -> Iterator[Outcome]:
        """Take each away for good, after its line in the audit log."""
        return self._settle(letters, lambda letter: self._drop(letter, why))

    def _look_into(self, place: str) -> list[Letter]:
        with self._box.open(place) as held_letters:
            return [held.letter.without_body() for held in held_letters]

    def _settle(self, letters: Sequence[Letter], act: Callable[[Letter], Outcome]) -> Iterator[Outcome]:
        # Only what was listed: a letter that is refused again and buried anew would otherwise go round for ever.
        for place in dict.fromkeys(letter.place for letter in letters):
            left = {letter.key: letter for letter in letters if letter.place == place}
            with self._box.open(place) as held_letters:
                for held in held_letters:
                    if left.pop(held.letter.key, None) is not None:
                        outcome = act(held.letter)
                        if outcome.ending is not Ending.REFUSED:
                            held.ack()
                        yield outcome
                    if not left:
                        break
            for letter in left.values():
                yield Outcome(letter=letter, ending=Ending.NOT_THERE, detail="gone, or somebody else looks at it")

    def _replay(self, letter: Letter) -> Outcome:
        try:
            self._replayer.replay(letter)
        except PermanentError as error:
            return Outcome(letter=letter, ending=Ending.REFUSED, detail=str(error))
        self._note(Act.REPLAYED, letter, {})
        return Outcome(letter=letter, ending=Ending.REPLAYED)

    def _drop(self, letter: Letter, why: str) -> Outcome:
        self._note(Act.DROPPED, letter, {"why": why})
        return Outcome(letter=letter, ending=Ending.DROPPED)

    def _note(self, act: Act, letter: Letter, detail: dict[str, str]) -> None:
        said = {
            "dead_letter": letter.place,
            "key": letter.key,
            "reason": letter.reason,
            "body_sha256": hashlib.sha256(letter.envelope.body).hexdigest(),
        }
        subject = letter.capture_id or letter.device_id or letter.place
        self._audit_log.append(AuditEntry(act=act, subject=subject[:255], actor=self._actor, detail=said | detail))
