"""What the bridge accepts and refuses is in the audit log before anybody hears of it."""

import threading
from datetime import UTC, datetime

from digiscope_cloud.audit_log.entries import AuditEntry
from digiscope_cloud.bridge.byte_budget import ByteBudget
from digiscope_cloud.bridge.capture_desk import CaptureDesk
from digiscope_cloud.bridge.result_desk import ResultDesk
from digiscope_cloud.bridge.uplink import Uplink
from digiscope_cloud.bridge.uplink_desk import UplinkDesk
from digiscope_cloud.dead_letters.writing import DeadLetters
from digiscope_shared import object_names
from digiscope_shared.backoff import Backoff
from digiscope_shared.codec import Envelope
from digiscope_shared.errors import TransientError
from digiscope_shared.messages import ReceiptKind
from digiscope_shared.pubsub_topics import UPLINK_DEAD
from tests.support.bridge_fakes import FakeDeviceDownlink, from_device, parts_of
from tests.support.fake_object_store import FakeObjectStore
from tests.support.fake_pubsub import FakeEventPublisher

IMAGE = bytes(range(256)) * 1200


class FakeAuditLog:
    def __init__(self, *, failures: int = 0) -> None:
        self.entries: list[AuditEntry] = []
        self._failures = failures

    def append(self, entry: AuditEntry) -> None:
        if self._failures:
            self._failures -= 1
            raise TransientError("the disk is full")
        self.entries.append(entry)


class Bench:
    def __init__(self, audit_log: FakeAuditLog) -> None:
        self.store, self.downlink = FakeObjectStore(), FakeDeviceDownlink()
        publisher = FakeEventPublisher()
        self._uplink = Uplink(
            desk=UplinkDesk(
                captures=CaptureDesk(
                    store=self.store,
                    publisher=publisher,
                    assembly=ByteBudget(64 * 1024 * 1024),
                    utc_now=lambda: datetime(2026, 1, 1, tzinfo=UTC),
                    audit_log=audit_log,
                ),
                results=ResultDesk(store=self.store, publisher=publisher, downlink=self.downlink),
                publisher=publisher,
            ),
            audit_log=audit_log,
            dead_letters=DeadLetters(publisher, UPLINK_DEAD),
            downlink=self.downlink,
            stopping=threading.Event(),
            new_backoff=lambda: Backoff(base_s=0.001, cap_s=0.001, floor_s=0.001),
        )

    def send(self, *envelopes: Envelope) -> None:
        for envelope in envelopes:
            self._uplink.handle(from_device(envelope)[0])


def test_a_capture_is_accepted_once_however_often_it_comes() -> None:
    log = FakeAuditLog()
    parts = list(parts_of(IMAGE, parts=2))
    Bench(log).send(*parts, parts[-1], parts[0])
    (entry,) = log.entries
    assert (entry.act, entry.subject) == ("accepted", parts[0].attributes["capture_id"])
    assert entry.detail["image_sha256"] == parts[0].attributes["image_sha256"]


def test_a_refusal_is_kept_with_its_reason_and_nothing_that_was_sent() -> None:
    log = FakeAuditLog()
    (first, *_) = parts_of(IMAGE, parts=2)
    bad = Envelope(attributes=dict(first.attributes) | {"site": "Erika Mustermann " * 9}, body=first.body)
    Bench(log).send(bad)
    (entry,) = log.entries
    assert (entry.act, entry.detail["reason"]) == ("refused", "bad-attributes")
    assert entry.detail["capture_id"] == first.attributes["capture_id"]
    assert "Erika" not in repr(entry)


def test_without_its_line_nothing_counts_as_stored() -> None:
    log = FakeAuditLog(failures=3)
    bench = Bench(log)
    seen: list[bool] = []
    log_append = log.append

    def watch(entry: AuditEntry) -> None:
        seen.append(bench.store.find(object_names.capture_record(entry.subject)) is not None)
        log_append(entry)

    log.append = watch  # type: ignore[method-assign] # the log that is watched
    bench.send(*parts_of(IMAGE, parts=2))
    assert seen == [False] * 4
    assert [entry.act for entry in log.entries] == ["accepted"]
    assert bench.downlink.receipts()[-1].kind is ReceiptKind.STORED
