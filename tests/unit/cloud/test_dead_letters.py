"""What a letter says of itself, and how it is replayed and dropped, on fakes."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from digiscope_cloud.audit_log.entries import Act, AuditEntry
from digiscope_cloud.bridge.directive_downlink import DirectiveDownlink
from digiscope_cloud.bridge.downlink import ROUTING, directive_topic
from digiscope_cloud.bridge.result_desk import ResultDesk
from digiscope_cloud.bridge.uplink_desk import UplinkDesk
from digiscope_cloud.dead_letters.desk import DeadLetterDesk, Ending
from digiscope_cloud.dead_letters.letter import DELIVERED_TOO_OFTEN, UNKNOWN, Letter
from digiscope_cloud.dead_letters.replay import Replayer
from digiscope_cloud.dead_letters.writing import DeadLetters
from digiscope_shared import codec, object_names
from digiscope_shared.codec import Envelope
from digiscope_shared.errors import PermanentError, Reason, TransientError
from digiscope_shared.messages import Receipt, ReceiptKind
from digiscope_shared.pubsub_topics import UPLINK_DEAD, PubsubTopic, Subscription, dead_letter_id
from tests.support.bridge_fakes import parts_of
from tests.support.bridge_replica import Replica
from tests.support.fake_letter_box import FakeLetterBox
from tests.support.fake_pubsub import FakeEventPublisher, FakePubsub

WORKER_DEAD = dead_letter_id(Subscription.CAPTURES_WORKER)
IMAGE = bytes(range(256)) * 1200


class FakeAuditLog:
    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []
        self.full = False

    def append(self, entry: AuditEntry) -> None:
        if self.full:
            raise TransientError("the disk is full")
        self.entries.append(entry)


class Office:
    """A bridge that buries, and the desk that looks after its dead letters."""

    def __init__(self) -> None:
        self.bridge = Replica()
        self.pubsub, self.store = self.bridge.pubsub, self.bridge.store
        self.publisher = FakeEventPublisher(self.pubsub)
        self.box, self.audit_log = FakeLetterBox(self.pubsub), FakeAuditLog()
        downlink = DirectiveDownlink(self.publisher)
        results = ResultDesk(store=self.store, publisher=self.publisher, downlink=downlink)
        uplink = UplinkDesk(captures=self.bridge.desk, results=results, publisher=self.publisher)
        replayer = Replayer(publisher=self.publisher, uplink=uplink, downlink=downlink)
        self.desk = DeadLetterDesk(box=self.box, replayer=replayer, audit_log=self.audit_log, actor="engineer")

    def break_and_bury(self) -> str:
        """Let a good capture hit a bug of the bridge; return its id."""
        (part,) = parts_of(IMAGE[:1000])
        create, self.store.create = self.store.create, _broken  # type: ignore[method-assign,assignment]
        self.bridge.handle(part)
        self.store.create = create  # type: ignore[method-assign]
        return part.attributes["capture_id"]

    def endings(self) -> list[Ending]:
        return [outcome.ending for outcome in self.desk.replay(self.desk.letters())]

    def receipts(self) -> list[Receipt]:
        sent = self.pubsub.on_topic(PubsubTopic.DEVICE_DIRECTIVES)
        assert {str(directive_topic(envelope)) for envelope in sent} <= {"digiscope/v1/devices/dev-1/receipts"}
        return [codec.decode_json(Receipt, envelope.body) for envelope in sent]


def _broken(*_: object, **__: object) -> None:
    raise ZeroDivisionError


def letter(place: str = UPLINK_DEAD, body: bytes = b"", **attributes: str) -> Letter:
    envelope = Envelope(attributes=attributes, body=body)
    return Letter(place=place, message_id="17", since=datetime(2026, 1, 1, tzinfo=UTC), envelope=envelope)


def test_a_letter_says_why_who_and_what() -> None:
    found = letter(
        schema="digiscope.capture/1",
        capture_id="c-1",
        dead_reason="wrong-hash",
        dead_detail="it differs",
        dead_mqtt_topic="digiscope/v1/devices/dev-1/captures",
    )
    assert (found.reason, found.detail, found.device_id, found.capture_id) == (
        "wrong-hash",
        "it differs",
        "dev-1",
        "c-1",
    )
    assert found.attempts is None
    assert found.message.attributes == {"schema": "digiscope.capture/1", "capture_id": "c-1"}


def test_what_pubsub_gave_up_says_how_often_it_was_tried() -> None:
    found = letter(
        WORKER_DEAD,
        device_id="dev-2",
        CloudPubSubDeadLetterSourceDeliveryCount="100",
        CloudPubSubDeadLetterSourceSubscription="captures-worker",
    )
    assert (found.reason, found.attempts, found.device_id) == (DELIVERED_TOO_OFTEN, 100, "dev-2")
    assert found.message.attributes == {"device_id": "dev-2"}


def test_a_sender_that_uses_our_names_does_not_speak_for_us() -> None:
    pubsub = FakePubsub()
    theirs = {"a": "1", "dead_damage": "cut", "CloudPubSubDeadLetterSourceDeliveryCount": "9"}
    DeadLetters(FakeEventPublisher(pubsub), UPLINK_DEAD).put(Envelope(attributes=theirs), reason="bad-body", detail="")
    (buried,) = pubsub.on_topic(UPLINK_DEAD)
    assert buried.attributes == {"a": "1", "dead_reason": "bad-body"}


def test_a_letter_of_nobody_is_still_a_letter() -> None:
    assert (letter().reason, letter().device_id, letter().attempts) == (UNKNOWN, "", None)


def test_a_key_depends_on_place_and_message_alone() -> None:
    assert letter().key == letter(body=b"x", a="b").key
    assert len({letter().key, letter(WORKER_DEAD).key, replace(letter(), message_id="18").key}) == 3


def test_letters_are_listed_oldest_first_without_bodies_and_filtered() -> None:
    office = Office()
    for place, reason in (
        (WORKER_DEAD, Reason.TOO_SLOW),
        (UPLINK_DEAD, Reason.BAD_PART),
        (WORKER_DEAD, Reason.BAD_BODY),
    ):
        DeadLetters(office.publisher, place).bury(Envelope(attributes={}, body=b"x"), PermanentError(reason, "why"))
    listed = office.desk.letters()
    assert [each.reason for each in listed] == [Reason.TOO_SLOW, Reason.BAD_PART, Reason.BAD_BODY]
    assert {each.envelope.body for each in listed} == {b""}
    assert [each.place for each in office.desk.letters((UPLINK_DEAD,))] == [UPLINK_DEAD]
    assert [each.reason for each in office.desk.letters(reason=Reason.BAD_BODY)] == [Reason.BAD_BODY]
    found = office.desk.find(listed[0].key)
    assert found is not None
    assert found.envelope.body == b"x"
    assert office.desk.find("nobody") is None


def test_a_part_that_hit_our_bug_is_stored_by_its_replay_and_the_device_hears() -> None:
    office = Office()
    capture_id = office.break_and_bury()
    (dead,) = office.desk.letters()
    assert (dead.reason, dead.capture_id, dead.device_id) == ("bridge-fault", capture_id, "dev-1")
    assert office.endings() == [Ending.REPLAYED]
    assert office.store.find(object_names.capture_record(capture_id)) is not None
    assert [(each.capture_id, each.kind) for each in office.receipts()] == [(capture_id, ReceiptKind.STORED)]
    assert office.desk.letters() == []
    (entry,) = office.audit_log.entries
    assert (entry.act, entry.subject, entry.actor) == (Act.REPLAYED, capture_id, "engineer")
    assert (entry.detail["key"], entry.detail["dead_letter"]) == (dead.key, UPLINK_DEAD)


def test_what_is_refused_again_stays_and_nothing_is_noted_or_sent() -> None:
    office = Office()
    office.bridge.handle(parts_of(IMAGE[:1000], image_sha256="0" * 64)[0])
    assert office.endings() == [Ending.REFUSED]
    assert len(office.desk.letters()) == 1
    assert office.audit_log.entries == []
    assert office.receipts() == []


def test_what_isnt_what_was_sent_is_never_replayed() -> None:
    office = Office()
    office.bridge.handle(parts_of(IMAGE[:1000])[0], fault="not valid UTF-8")
    (outcome,) = office.desk.replay(office.desk.letters())
    assert outcome.ending is Ending.REFUSED
    assert "not valid UTF-8" in outcome.detail
    assert office.store.objects == {}


@pytest.mark.parametrize("subscription", Subscription)
def test_a_message_goes_back_to_its_topic_as_it_was(subscription: Subscription) -> None:
    office = Office()
    message = Envelope(attributes={"schema": "x/1", "device_id": "dev-1"}, body=b"{}")
    DeadLetters(office.publisher, dead_letter_id(subscription)).bury(message, PermanentError(Reason.BAD_BODY, "why"))
    assert office.endings() == [Ending.REPLAYED]
    again = office.pubsub.published[-1]
    assert again.envelope == message
    ordered = subscription in {Subscription.DEVICE_EVENTS_FLEET, Subscription.DEVICE_DIRECTIVES_BRIDGE}
    assert again.ordering_key == ("dev-1" if ordered else "")
    assert again.pubsub_topic_id == subscription.rpartition("-")[0]


@pytest.mark.parametrize("fail", ["audit", "ack"])
def test_a_letter_is_taken_away_last(fail: str) -> None:
    office = Office()
    capture_id = office.break_and_bury()
    office.audit_log.full, office.box.acks_fail = fail == "audit", fail == "ack"
    with pytest.raises(TransientError):
        office.endings()
    office.audit_log.full = office.box.acks_fail = False
    before = dict(office.store.objects)
    assert object_names.image(capture_id) in before
    assert office.endings() == [Ending.REPLAYED]
    assert office.store.objects == before
    assert [each.kind for each in office.receipts()] == [ReceiptKind.STORED] * 2


def test_while_storage_is_away_letters_stay() -> None:
    office = Office()
    office.break_and_bury()
    office.store.away = True
    with pytest.raises(TransientError):
        office.endings()
    assert len(office.desk.letters()) == 1


def test_dropping_notes_who_and_why_and_takes_only_the_chosen_away() -> None:
    office = Office()
    kept, dropped = office.break_and_bury(), office.break_and_bury()
    chosen = [each for each in office.desk.letters() if each.capture_id == dropped]
    assert [outcome.ending for outcome in office.desk.drop(chosen, why="a test")] == [Ending.DROPPED]
    assert [each.capture_id for each in office.desk.letters()] == [kept]
    (entry,) = office.audit_log.entries
    assert (entry.act, entry.subject, entry.detail["why"]) == (Act.DROPPED, dropped, "a test")
    assert [outcome.ending for outcome in office.desk.drop(chosen, why="a test")] == [Ending.NOT_THERE]


def test_the_way_down_through_pubsub_ends_where_the_direct_one_does() -> None:
    office, taken = Office(), list[bool]()
    envelope = Envelope(attributes={"schema": "x/1"}, body=b"{}")
    DirectiveDownlink(office.publisher).publish(
        "digiscope/v1/devices/dev-1/commands/capture", envelope, expiry_s=30, on_taken=lambda: taken.append(True)
    )
    (sent,) = office.pubsub.on_topic(PubsubTopic.DEVICE_DIRECTIVES)
    assert str(directive_topic(sent)) == "digiscope/v1/devices/dev-1/commands/capture"
    assert {name: value for name, value in sent.attributes.items() if name not in ROUTING} == {
        "schema": "x/1",
        "device_id": "dev-1",
    }
    assert sent.attributes["expiry_s"] == "30"
    assert taken == [True]
