"""The journal writes every event down and hands it on, and never stands in the way."""

import json
from pathlib import Path

from digiscope_edge.adapters.event_journal import EventJournal
from digiscope_edge.events import CaptureAnswered, CaptureStored, Event
from digiscope_shared.lesions import LesionClass
from digiscope_shared.messages import AnalysisResult, Triage
from tests.support.fake_clock import FakeClock

RESULT = AnalysisResult(
    capture_id="c1",
    device_id="clinic",
    image_sha256="",
    model_digest="d",
    model_id="m",
    triage=Triage.REVIEW,
    analysed_at="",
    traceparent="",
    probabilities={LesionClass.MEL: 0.4},
)


class RecordingDisplay:
    def __init__(self) -> None:
        self.calls: list[Event | str] = []

    def start(self) -> None:
        self.calls.append("start")

    def show(self, event: Event) -> None:
        self.calls.append(event)

    def stop(self) -> None:
        self.calls.append("stop")


def test_events_are_written_down_and_handed_on(tmp_path: Path) -> None:
    display, clock = RecordingDisplay(), FakeClock()
    journal = EventJournal(display, tmp_path / "events.jsonl", clock=clock, now_text=lambda: "now")
    stored = CaptureStored(capture_id="c1")
    answered = CaptureAnswered(capture_id="c1", result=RESULT, latency_s=0.25)
    journal.start()
    journal.show(stored)
    clock.advance(1)
    journal.show(answered)
    journal.stop()
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert lines[0] == {"event": "CaptureStored", "at_s": 1000.0, "at": "now", "capture_id": "c1"}
    assert (lines[1]["event"], lines[1]["at_s"], lines[1]["latency_s"]) == ("CaptureAnswered", 1001.0, 0.25)
    assert lines[1]["result"]["probabilities"] == {"mel": 0.4}
    assert display.calls == ["start", stored, answered, "stop"]


def test_a_journal_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    display = RecordingDisplay()
    journal = EventJournal(display, tmp_path / "missing" / "events.jsonl")
    journal.start()
    journal.show(CaptureStored(capture_id="c1"))
    journal.stop()
    assert len(display.calls) == 3
