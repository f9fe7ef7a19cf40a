"""What only the real outbox can get wrong: files, crashes, modes, other processes."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from digiscope_edge.adapters.sqlite_outbox import SqliteOutbox
from digiscope_edge.captures import HeldCapture, ImageState
from digiscope_edge.ports import DamagedImageError, OutboxFullError
from digiscope_shared.errors import SettingsError
from digiscope_shared.lifecycle import CaptureEvent, CaptureState
from tests.support.new_captures import new_capture, new_result


def open_outbox(state_dir: Path, *, reserve_bytes: int = 0, history: int = 1000) -> SqliteOutbox:
    return SqliteOutbox(state_dir, limit_bytes=2**30, reserve_bytes=reserve_bytes, history=history)


@pytest.fixture
def outbox(tmp_path: Path) -> SqliteOutbox:
    return open_outbox(tmp_path)


def image_of(tmp_path: Path, capture: HeldCapture) -> Path:
    return tmp_path / "images" / capture.capture_id


def test_everything_survives_a_restart(tmp_path: Path, outbox: SqliteOutbox) -> None:
    held = [outbox.accept(new_capture(number)) for number in range(3)]
    outbox.close()
    again = open_outbox(tmp_path)
    assert again.open_captures() == held
    assert again.accept(new_capture(9)).attributes.sequence == 4


@pytest.mark.parametrize("kept_bytes", range(len(b"image 1")))
def test_a_file_torn_at_any_byte_is_found_and_kept(tmp_path: Path, outbox: SqliteOutbox, kept_bytes: int) -> None:
    capture = outbox.accept(new_capture(1))
    path = image_of(tmp_path, capture)
    path.write_bytes(path.read_bytes()[:kept_bytes])
    assert outbox.reconcile().damaged == (capture.capture_id,)
    found = outbox.find(capture.capture_id)
    assert found is not None
    assert (found.state, found.image) == (CaptureState.ACCEPTED, ImageState.DAMAGED)
    assert outbox.load().unreadable == 1
    assert path.exists()


def test_a_changed_or_missing_image_is_never_sent(tmp_path: Path, outbox: SqliteOutbox) -> None:
    changed, missing = outbox.accept(new_capture(1)), outbox.accept(new_capture(2))
    image_of(tmp_path, changed).write_bytes(b"IMAGE 1")
    image_of(tmp_path, missing).unlink()
    for capture, image in ((changed, ImageState.DAMAGED), (missing, ImageState.MISSING)):
        with pytest.raises(DamagedImageError):
            outbox.read_image(capture.capture_id)
        found = outbox.find(capture.capture_id)
        assert found is not None
        assert found.image is image
    assert outbox.reconcile().missing == (missing.capture_id,)


def test_a_file_without_a_row_is_set_aside_and_a_half_written_one_goes(tmp_path: Path, outbox: SqliteOutbox) -> None:
    orphan, half = new_capture(1).capture_id, new_capture(2).capture_id
    (tmp_path / "images" / orphan).write_bytes(b"whole")
    (tmp_path / "images" / f"{half}.tmp").write_bytes(b"ha")
    assert outbox.reconcile().orphans == 1
    assert (tmp_path / "orphans" / orphan).read_bytes() == b"whole"
    assert list((tmp_path / "images").iterdir()) == []
    assert outbox.orphans() == 1


def test_a_deletion_that_a_crash_cut_short_is_finished(tmp_path: Path, outbox: SqliteOutbox) -> None:
    capture = outbox.accept(new_capture(1))
    outbox.advance(capture.capture_id, CaptureEvent.STORED_RECEIVED)
    image_of(tmp_path, capture).write_bytes(b"image 1")
    assert outbox.reconcile().orphans == 0
    assert not image_of(tmp_path, capture).exists()


def test_a_crash_between_file_and_row_leaves_no_row_and_no_gap(
    tmp_path: Path, outbox: SqliteOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("digiscope_edge.adapters.image_folder.ImageFolder._sync", crash)
        with pytest.raises(KeyboardInterrupt):
            outbox.accept(new_capture(1))
    assert outbox.newer_than(0) == []
    assert outbox.reconcile().orphans == 1
    assert outbox.accept(new_capture(2)).attributes.sequence == 1


def test_the_disk_reserve_is_kept(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path, reserve_bytes=2**60)
    with pytest.raises(OutboxFullError):
        outbox.accept(new_capture(1))
    assert outbox.load().full
    assert list((tmp_path / "images").iterdir()) == []


def test_nobody_else_may_read(tmp_path: Path, outbox: SqliteOutbox) -> None:
    state_dir = tmp_path / "new"
    made = open_outbox(state_dir)
    made.accept(new_capture(1))
    for path in (state_dir, *state_dir.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_history_is_bounded_and_what_waits_stays(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path, history=2)
    waiting = outbox.accept(new_capture(0))
    answered = [outbox.accept(new_capture(number)) for number in range(1, 6)]
    for capture in answered:
        outbox.answer(new_result(capture.capture_id))
    assert [capture.attributes.sequence for capture in outbox.newer_than(0)] == [1, 5, 6]
    assert outbox.results(answered[0].capture_id) == []
    assert outbox.find(waiting.capture_id) == waiting


def test_another_process_shares_it(tmp_path: Path, outbox: SqliteOutbox) -> None:
    mark = outbox.change_mark()
    other = open_outbox(tmp_path)
    other.accept(new_capture(1))
    assert outbox.change_mark() != mark
    assert outbox.accept(new_capture(2)).attributes.sequence == 2
    assert [capture.attributes.sequence for capture in other.newer_than(0)] == [1, 2]


@pytest.mark.usefixtures("outbox")
def test_a_database_of_a_newer_agent_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "outbox.sqlite3")) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(SettingsError, match="newer agent"):
        open_outbox(tmp_path)
