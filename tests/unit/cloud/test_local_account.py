"""Two accounts of one run, laid side by side: each kind of difference is found."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from digiscope_cloud.drill.reconcile import StoredCapture
from digiscope_cloud.local import demo_report
from digiscope_cloud.local.account import JournalLine, percentile, read_bucket, read_journal, settle
from digiscope_shared import object_names
from digiscope_shared.capture_ids import new_capture_id
from digiscope_shared.codec import encode_json
from digiscope_shared.messages import CaptureRecord
from tests.support.fake_object_store import FakeObjectStore

DEVICE = "demo-clinic"


def accepted(capture_id: str, sequence: int) -> JournalLine:
    line = {"capture_id": capture_id, "sequence": sequence, "source": "file", "prescreen": None}
    return {"event": "CaptureAccepted", "at_s": float(sequence)} | line


def answered(capture_id: str, latency_s: float = 0.5) -> JournalLine:
    result = {"probabilities": {"mel": 0.07, "nv": 0.93}, "triage": "routine"}
    return {"event": "CaptureAnswered", "at_s": 9.0, "capture_id": capture_id, "latency_s": latency_s, "result": result}


def stored(capture_id: str, sequence: int, results: int = 1) -> StoredCapture:
    return StoredCapture(capture_id=capture_id, device_id=DEVICE, sequence=sequence, results=results)


def whole_run(captures: int = 3) -> tuple[list[JournalLine], list[StoredCapture]]:
    names = [f"c{number}" for number in range(1, captures + 1)]
    journal = [accepted(name, number) for number, name in enumerate(names, start=1)]
    journal += [answered(name, number / 10) for number, name in enumerate(names, start=1)]
    return journal, [stored(name, number) for number, name in enumerate(names, start=1)]


def test_a_run_without_fault_passes() -> None:
    account = settle(DEVICE, *whole_run())
    assert (account.captured, account.stored, account.answered, account.lost, account.answered_twice) == (3, 3, 3, 0, 0)
    assert (account.latency_median_s, account.latency_p99_s) == (0.2, 0.3)
    assert account.passed


@pytest.mark.parametrize(
    ("fault", "number"),
    [("lost", 1), ("answered_twice", 1), ("shown_twice", 1), ("unanswered", 0), ("held", 1), ("stranger", 4)],
)
def test_a_run_with_a_fault_does_not_pass(fault: str, number: int) -> None:
    journal, bucket = whole_run()
    if fault == "lost":
        bucket.pop()
    elif fault == "answered_twice":
        bucket[0] = stored("c1", 1, results=2)
    elif fault == "shown_twice":
        journal.append(answered("c1"))
    elif fault == "unanswered":
        journal = journal[:-1]
    elif fault == "held":
        journal.append({"event": "OutboxChanged", "at_s": 9.0, "captures": 1})
    else:
        bucket.append(stored("c9", 9))
    account = settle(DEVICE, journal, bucket)
    assert not account.passed
    found = {
        "lost": account.lost,
        "answered_twice": account.answered_twice,
        "shown_twice": account.answered_twice,
        "unanswered": account.answered - 2,
        "held": account.held_by_device,
        "stranger": account.stored,
    }
    assert found[fault] == number


def test_nothing_captured_is_no_success() -> None:
    account = settle(DEVICE, [], [])
    assert not account.passed
    assert math.isnan(account.latency_median_s)


def test_a_journal_that_is_still_being_written_is_read_to_its_last_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    assert read_journal(path) == []
    path.write_text(json.dumps(accepted("c1", 1)) + '\n{"event": "Capt')
    assert [line["capture_id"] for line in read_journal(path)] == ["c1"]


def test_the_bucket_is_read_by_records_and_result_objects() -> None:
    store = FakeObjectStore()
    complete, partial = new_capture_id(1), new_capture_id(2)
    record = CaptureRecord(
        capture_id=complete,
        device_id=DEVICE,
        image_uri="gs://b/i",
        image_generation=1,
        image_sha256="0" * 64,
        image_bytes=1,
        content_type="image/jpeg",
        captured_at="",
        stored_at="",
        boot_id="",
        sequence=7,
        traceparent="",
    )
    objects: dict[str, Any] = {
        object_names.part(partial, 0): b"part",
        object_names.image(complete): b"image",
        object_names.capture_record(complete): encode_json(record),
        object_names.result(complete, "model-a"): b"{}",
        object_names.result(complete, "model-b"): b"{}",
    }
    for name, content in objects.items():
        store.create(name, content, content_type="text/plain")
    assert read_bucket(store) == [stored(complete, 7, results=2)]


def test_percentile_is_the_nearest_rank() -> None:
    assert percentile([1, 2, 3, 4], 0.5) == 2
    assert percentile([1, 2, 3, 4], 0.99) == 4
    assert percentile([1], 0.0) == 1


def test_the_report_fits_eighty_columns_and_says_what_counts(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(width=80, force_terminal=False)
    journal, bucket = whole_run(24)
    demo_report.show_captures(journal, console)
    demo_report.show_account(settle(DEVICE, journal, bucket), 12.0, console)
    shown = capsys.readouterr().out
    assert "24 captured, 24 stored, 24 answered, 0 lost, 0 twice" in shown
    assert "research use only, not a diagnosis" in shown
    assert "routine" in shown
    assert max(map(len, shown.splitlines())) <= 80
