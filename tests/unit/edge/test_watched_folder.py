from pathlib import Path

import pytest

from digiscope_edge.adapters.watched_folder import MAX_FILE_BYTES, FolderOutcome, WatchedFolder
from digiscope_edge.ports import SourceImage
from tests.support.fake_clock import FakeClock


class Intake:
    """Takes what it is given, as the test says."""

    def __init__(self) -> None:
        self.outcome = FolderOutcome.TAKEN
        self.taken: list[SourceImage] = []

    def take(self, image: SourceImage) -> FolderOutcome:
        if self.outcome is FolderOutcome.TAKEN:
            self.taken.append(image)
        return self.outcome

    def was_taken(self, image: SourceImage) -> bool:
        return image in self.taken


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def intake() -> Intake:
    return Intake()


@pytest.fixture
def folder(tmp_path: Path, clock: FakeClock, intake: Intake) -> WatchedFolder:
    return watch(tmp_path, clock, intake)


def watch(path: Path, clock: FakeClock, intake: Intake) -> WatchedFolder:
    watched = WatchedFolder(path, take=intake.take, was_taken=intake.was_taken, settle_s=1, retry_s=10, clock=clock)
    watched.recover()
    return watched


def scan_settled(folder: WatchedFolder, clock: FakeClock) -> None:
    folder.scan()
    clock.advance(1)
    folder.scan()


def names(path: Path) -> list[str]:
    return sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())


def test_complete_file_is_taken_and_moved(
    folder: WatchedFolder, clock: FakeClock, intake: Intake, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"image")
    folder.scan()
    assert intake.taken == [], "it may still grow"
    clock.advance(1)
    folder.scan()
    assert intake.taken == [SourceImage(source="folder", content=b"image")]
    assert names(tmp_path) == ["done/a.jpg"]


def test_growing_file_waits(folder: WatchedFolder, clock: FakeClock, intake: Intake, tmp_path: Path) -> None:
    for size in range(1, 5):
        (tmp_path / "a.jpg").write_bytes(b"x" * size)
        folder.scan()
        clock.advance(0.9)
    assert intake.taken == []
    scan_settled(folder, clock)
    assert [len(image.content) for image in intake.taken] == [4]


def test_refused_file_moves_aside(folder: WatchedFolder, clock: FakeClock, intake: Intake, tmp_path: Path) -> None:
    intake.outcome = FolderOutcome.REFUSED
    (tmp_path / "a.txt").write_bytes(b"no image")
    scan_settled(folder, clock)
    assert names(tmp_path) == ["refused/a.txt"]


def test_no_room_now_means_later(folder: WatchedFolder, clock: FakeClock, intake: Intake, tmp_path: Path) -> None:
    intake.outcome = FolderOutcome.LATER
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"image")
    scan_settled(folder, clock)
    assert names(tmp_path) == ["a.jpg", "b.jpg"]
    intake.outcome = FolderOutcome.TAKEN
    folder.scan()
    assert intake.taken == [], "it pauses"
    clock.advance(10)
    scan_settled(folder, clock)
    assert names(tmp_path) == ["done/a.jpg", "done/b.jpg"]


@pytest.mark.parametrize(("accepted", "times"), [(True, 1), (False, 1)])
def test_power_cut_between_hand_over_and_note(
    clock: FakeClock, intake: Intake, tmp_path: Path, *, accepted: bool, times: int
) -> None:
    (tmp_path / ".taking").mkdir()
    (tmp_path / ".taking" / "a.jpg").write_bytes(b"image")
    if accepted:
        intake.taken.append(SourceImage(source="folder", content=b"image"))
    scan_settled(watch(tmp_path, clock, intake), clock)
    assert len(intake.taken) == times
    assert names(tmp_path) == ["done/a.jpg"]


def test_same_name_again_is_a_new_image(
    folder: WatchedFolder, clock: FakeClock, intake: Intake, tmp_path: Path
) -> None:
    for content in (b"one", b"two"):
        (tmp_path / "a.jpg").write_bytes(content)
        scan_settled(folder, clock)
    assert [image.content for image in intake.taken] == [b"one", b"two"]
    assert names(tmp_path) == ["done/a-2.jpg", "done/a.jpg"]


def test_leaves_alone_what_is_no_finished_file(
    folder: WatchedFolder, clock: FakeClock, intake: Intake, tmp_path: Path
) -> None:
    for name in (".hidden.jpg", "~lock.jpg", "a.jpg.part"):
        (tmp_path / name).write_bytes(b"image")
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.jpg").symlink_to("/etc/hostname")
    scan_settled(folder, clock)
    assert intake.taken == []


def test_memory_stays_bounded(folder: WatchedFolder, clock: FakeClock, intake: Intake, tmp_path: Path) -> None:
    with (tmp_path / "huge.jpg").open("wb") as file:
        file.truncate(MAX_FILE_BYTES * 2)
    scan_settled(folder, clock)
    assert len(intake.taken[0].content) == MAX_FILE_BYTES + 1, "too large by one byte, so the intake refuses it"
