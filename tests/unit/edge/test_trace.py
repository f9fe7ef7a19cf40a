"""A device's account of one capture, and the command that prints it."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from digiscope_edge.__main__ import main
from digiscope_edge.adapters.event_journal import EventJournal
from digiscope_edge.adapters.sqlite_outbox import SqliteOutbox
from digiscope_edge.events import CaptureProgressed, CaptureStored
from digiscope_edge.trace_account import account_of
from digiscope_shared.codec import decode_json
from digiscope_shared.lesions import DISCLAIMER
from digiscope_shared.lifecycle import CaptureEvent
from digiscope_shared.messages import StepName, TraceStep
from tests.support.fake_outbox import FakeOutbox
from tests.support.new_captures import new_capture, new_result
from tests.unit.edge.test_event_journal import RecordingDisplay

STEPS_AFTER = [
    ((), [StepName.ACCEPTED]),
    ((CaptureEvent.PART_SENT,), [StepName.ACCEPTED, StepName.SENT]),
    ((CaptureEvent.REJECTED_RECEIVED,), [StepName.ACCEPTED, StepName.SENT, StepName.REJECTED]),
    ((CaptureEvent.STORED_RECEIVED,), [StepName.ACCEPTED, StepName.SENT, StepName.RECEIPT]),
    ((CaptureEvent.RESULT_RECEIVED,), [StepName.ACCEPTED, StepName.SENT, StepName.RECEIPT, StepName.SHOWN]),
]


@pytest.mark.parametrize(("happened", "expected"), STEPS_AFTER)
def test_the_row_proves_the_steps(happened: tuple[CaptureEvent, ...], expected: list[StepName]) -> None:
    outbox = FakeOutbox()
    capture = outbox.accept(new_capture(1))
    for event in happened:
        capture = outbox.advance(capture.capture_id, event) or capture
    assert [step.name for step in account_of(capture, [], [])] == expected


def test_the_journal_says_when_and_the_last_time_counts() -> None:
    outbox = FakeOutbox()
    capture = outbox.accept(new_capture(1))
    answered = outbox.advance(capture.capture_id, CaptureEvent.RESULT_RECEIVED)
    assert answered is not None
    events: list[dict[str, Any]] = [
        {"event": "CaptureProgressed", "at": "1"},
        {"event": "CaptureProgressed", "at": "2"},
        {"event": "CaptureStored"},  # an older journal has no wall clock
        {"event": "CaptureAnswered", "at": "4"},
    ]
    steps = account_of(answered, [new_result(capture.capture_id)], events)
    assert [step.at for step in steps[1:]] == ["2", "", "4"]
    assert " by " in steps[-1].detail


def test_a_discarded_image_is_said() -> None:
    outbox = FakeOutbox()
    capture_id = outbox.accept(new_capture(1)).capture_id
    outbox.advance(capture_id, CaptureEvent.REJECTED_RECEIVED, reason="bad-part", detail="too large")
    outbox.discard(capture_id)
    discarded = outbox.find(capture_id)
    assert discarded is not None
    steps = account_of(discarded, [], [])
    assert [step.name for step in steps][-2:] == [StepName.REJECTED, StepName.DISCARDED]
    assert steps[-2].detail == "bad-part: too large"


class Device:
    """A state directory with an outbox and a journal, and the command."""

    def __init__(self, folder: Path) -> None:
        self.journal = folder / "journal.jsonl"
        self._settings = folder / "edge.yaml"
        self._settings.write_text(yaml.safe_dump({"device_id": "dev-1", "state_dir": str(folder / "state")}))
        self.outbox = SqliteOutbox(folder / "state", limit_bytes=2**30)

    def trace(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["--settings", str(self._settings), "trace", *arguments])


@pytest.fixture
def device(tmp_path: Path) -> Device:
    return Device(tmp_path)


def test_the_command_ends_with_who_holds_it_what_comes_next_and_the_disclaimer(device: Device) -> None:
    capture_id = device.outbox.accept(new_capture(1)).capture_id
    done = device.trace(capture_id)
    assert done.exit_code == 0
    *_, holder, next_step, disclaimer = done.stdout.splitlines()
    assert holder.startswith("held by  the device's outbox")
    assert next_step.startswith("next     the device sends")
    assert disclaimer == DISCLAIMER


def test_its_json_lines_are_steps_with_the_journals_times(device: Device) -> None:
    capture_id = device.outbox.accept(new_capture(1)).capture_id
    device.outbox.advance(capture_id, CaptureEvent.STORED_RECEIVED)
    journal = EventJournal(RecordingDisplay(), device.journal, now_text=lambda: "then")
    journal.start()
    journal.show(CaptureProgressed(capture_id=capture_id, parts_sent=1, parts=1))
    journal.show(CaptureStored(capture_id=capture_id))
    journal.show(CaptureStored(capture_id="another"))
    journal.stop()
    with device.journal.open("ab") as torn:
        torn.write(json.dumps({"event": "CaptureAnswered", "capture_id": capture_id}).encode()[:-1])
    done = device.trace(capture_id, "--journal", str(device.journal), "--json")
    steps = [decode_json(TraceStep, line.encode()) for line in done.stdout.splitlines()]
    assert [(step.name, step.at) for step in steps[1:]] == [(StepName.SENT, "then"), (StepName.RECEIPT, "then")]


def test_an_unknown_capture_is_said(device: Device) -> None:
    done = device.trace("019a0000-0000-7000-8000-000000000000")
    assert done.exit_code == 1
    assert "no capture 019a0000" in done.stderr


def test_a_journal_that_cannot_be_read_is_said(device: Device) -> None:
    capture_id = device.outbox.accept(new_capture(1)).capture_id
    done = device.trace(capture_id, "--journal", str(device.journal))
    assert done.exit_code == 2
    assert "journal.jsonl" in done.stderr
