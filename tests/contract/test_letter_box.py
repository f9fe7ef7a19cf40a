"""What every `LetterBox` promises: who looks takes nothing away."""

from datetime import UTC, datetime, timedelta

import pytest

from digiscope_cloud.adapters.pubsub_letter_box import PubsubLetterBox
from digiscope_cloud.adapters.pubsub_publisher import PubsubPublisher
from digiscope_cloud.dead_letters.letter import Letter
from digiscope_cloud.dead_letters.ports import LetterBox
from digiscope_cloud.ports import EventPublisher
from digiscope_cloud.settings import CloudSettings
from digiscope_shared.codec import Envelope
from digiscope_shared.errors import TransientError
from digiscope_shared.pubsub_topics import DEAD_LETTERS, UPLINK_DEAD
from tests.support.fake_letter_box import FakeLetterBox
from tests.support.fake_pubsub import FakeEventPublisher, FakePubsub
from tests.support.waiting import wait_until

pytestmark = pytest.mark.filterwarnings("ignore:The return_immediately flag:DeprecationWarning")


class Post:
    """A box, and who puts letters in."""

    def __init__(self, publisher: EventPublisher, box: LetterBox) -> None:
        self.publisher, self.box = publisher, box

    def put(self, *bodies: bytes, place: str = UPLINK_DEAD) -> None:
        for body in bodies:
            self.publisher.publish(place, Envelope(attributes={"schema": "x/1"}, body=body))

    def look(self, place: str = UPLINK_DEAD) -> list[Letter]:
        with self.box.open(place) as held_letters:
            return [held.letter for held in held_letters]

    def wait_for(self, bodies: set[bytes]) -> list[Letter]:
        """Look until exactly these lie there: what was given back may take a moment to be back."""
        seen: list[Letter] = []

        def are_there() -> bool:
            seen[:] = self.look()
            return {letter.envelope.body for letter in seen} == bodies

        wait_until(are_there, timeout_s=30, what=f"{bodies} lie there")
        return seen


@pytest.fixture(params=["fake", "pubsub"])
def post(request: pytest.FixtureRequest) -> Post:
    if request.param == "fake":
        pubsub = FakePubsub()
        return Post(FakeEventPublisher(pubsub), FakeLetterBox(pubsub))
    settings = request.getfixturevalue("cloud")
    return Post(PubsubPublisher(settings), PubsubLetterBox(settings))


def test_a_letter_is_what_was_put_there(post: Post) -> None:
    post.put(b"\x00\xff")
    (letter,) = post.wait_for({b"\x00\xff"})
    assert letter.envelope == Envelope(attributes={"schema": "x/1"}, body=b"\x00\xff")
    assert letter.place == UPLINK_DEAD
    assert letter.since.tzinfo is not None
    assert letter.since - datetime.now(UTC) < timedelta(minutes=1)


def test_looking_twice_takes_nothing_away_and_keys_stay(post: Post) -> None:
    post.put(b"1", b"2", b"3")
    first = post.wait_for({b"1", b"2", b"3"})
    second = post.wait_for({b"1", b"2", b"3"})
    assert len({letter.key for letter in first}) == 3
    assert {letter.key for letter in first} == {letter.key for letter in second}


def test_each_letter_comes_once_however_many_there_are(post: Post) -> None:
    bodies = {str(number).encode() for number in range(230)}
    post.put(*bodies)
    assert len(post.wait_for(bodies)) == 230


def test_only_what_was_acked_is_gone(post: Post) -> None:
    post.put(b"1", b"2", b"3")
    post.wait_for({b"1", b"2", b"3"})
    with post.box.open(UPLINK_DEAD) as held_letters:
        for held in held_letters:
            if held.letter.envelope.body == b"2":
                held.ack()
    post.wait_for({b"1", b"3"})


def test_who_stops_in_the_middle_gives_back(post: Post) -> None:
    post.put(b"1", b"2", b"3")
    post.wait_for({b"1", b"2", b"3"})

    def stumble() -> None:
        with post.box.open(UPLINK_DEAD) as held_letters:
            next(held_letters)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stumble()
    post.wait_for({b"1", b"2", b"3"})


@pytest.mark.parametrize("place", DEAD_LETTERS)
def test_every_dead_letter_is_a_place_and_empty_at_first(post: Post, place: str) -> None:
    assert post.look(place) == []


def test_a_place_that_is_not_there_is_said(cloud: CloudSettings) -> None:
    box = PubsubLetterBox(cloud)
    with pytest.raises(TransientError, match="provision"), box.open("nowhere-dead") as held_letters:
        next(held_letters)


def test_a_service_that_is_away_is_transient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:9")
    box = PubsubLetterBox(CloudSettings(project="p", bucket="b"))
    with pytest.raises(TransientError), box.open(UPLINK_DEAD) as held_letters:
        next(held_letters)
