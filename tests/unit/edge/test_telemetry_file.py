"""A wearable's file: whole lines, each once, over restarts and rotations."""

from pathlib import Path

from digiscope_edge.adapters.sqlite_outbox import SqliteOutbox
from digiscope_edge.adapters.telemetry_file import TelemetryFile

LINE = '{"subject": "S-1", "metric": "heart-rate", "value": %d, "unit": "/min"}\n'


def test_each_whole_line_is_taken_once_and_a_bad_one_skipped(tmp_path: Path) -> None:
    outbox = SqliteOutbox(tmp_path / "state", limit_bytes=1)
    path = tmp_path / "wearable.jsonl"
    reader = TelemetryFile(path, outbox, now_text=lambda: "now")
    assert reader.poll() == 0
    path.write_text(LINE % 70 + "[1, 2]\nnot json\n" + (LINE % 71)[:20])
    assert reader.poll() == 1
    path.write_text(LINE % 70 + "[1, 2]\nnot json\n" + LINE % 71)
    assert TelemetryFile(path, outbox, now_text=lambda: "now").poll() == 1
    assert [reading.value for reading in outbox.readings(after=0, limit=9)] == [70, 71]


def test_a_shortened_file_is_read_from_its_start(tmp_path: Path) -> None:
    outbox = SqliteOutbox(tmp_path / "state", limit_bytes=1)
    path = tmp_path / "wearable.jsonl"
    path.write_text(LINE % 70 + LINE % 71)
    reader = TelemetryFile(path, outbox, now_text=lambda: "now")
    assert reader.poll() == 2
    path.write_text(LINE % 72)
    assert reader.poll() == 1
