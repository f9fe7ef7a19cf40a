import base64
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digiscope_edge.adapters.image_cipher import KEY_VARIABLE, ImageCipher, find_cipher
from digiscope_edge.adapters.image_folder import ImageFolder
from digiscope_edge.adapters.sqlite_outbox import SqliteOutbox
from digiscope_edge.captures import CaptureDetails, NewCapture
from digiscope_edge.ports import DamagedImageError
from digiscope_shared.capture_ids import new_capture_id
from digiscope_shared.errors import SettingsError
from digiscope_shared.lifecycle import CaptureEvent

KEY, OTHER = bytes(range(32)), bytes(32)
IMAGE = b"\xff\xd8\xff" + b"a lesion on a left forearm" * 40
CAPTURE_ID = new_capture_id(1_780_000_000_000)


def outbox_in(folder: Path, key: bytes | None = KEY) -> SqliteOutbox:
    return SqliteOutbox(folder, limit_bytes=10_000_000, cipher=ImageCipher(key) if key else None)


def accept(outbox: SqliteOutbox, capture_id: str = CAPTURE_ID) -> None:
    outbox.accept(
        NewCapture(
            capture_id=capture_id,
            content=IMAGE,
            content_type="image/jpeg",
            captured_at="2026-05-04T10:00:00+00:00",
            boot_id="boot",
            traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01",
            accepted_at_s=1.0,
            details=CaptureDetails(),
            quality={},
        )
    )


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_no_picture_lies_on_the_disk_and_it_comes_back_whole(tmp_path: Path) -> None:
    accept(outbox_in(tmp_path))
    assert b"left forearm" not in on_disk(tmp_path)
    assert b"\xff\xd8\xff" not in on_disk(tmp_path / "images")
    again = outbox_in(tmp_path)
    assert not again.reconcile().damaged
    assert again.read_image(CAPTURE_ID) == IMAGE


def test_without_a_key_images_lie_there_as_they_are_and_are_taken_over_when_one_comes(tmp_path: Path) -> None:
    accept(outbox_in(tmp_path, key=None))
    assert b"left forearm" in on_disk(tmp_path)
    assert outbox_in(tmp_path).read_image(CAPTURE_ID) == IMAGE


@pytest.mark.parametrize("key", [None, OTHER])
def test_a_wrong_key_is_said_and_damages_nothing(tmp_path: Path, key: bytes | None) -> None:
    accept(outbox_in(tmp_path))
    with pytest.raises(SettingsError, match="sealed with another key"):
        outbox_in(tmp_path, key=key).reconcile()
    with pytest.raises(SettingsError, match="sealed with another key"):
        accept(outbox_in(tmp_path, key=key), new_capture_id(1_780_000_000_001))
    # Another terminal without the key can look on.
    assert outbox_in(tmp_path, key=key).load().captures == 1
    assert not outbox_in(tmp_path).reconcile().damaged
    assert outbox_in(tmp_path).read_image(CAPTURE_ID) == IMAGE


def test_an_empty_outbox_takes_another_key(tmp_path: Path) -> None:
    outbox = outbox_in(tmp_path)
    accept(outbox)
    outbox.advance(CAPTURE_ID, CaptureEvent.PART_SENT)
    outbox.advance(CAPTURE_ID, CaptureEvent.STORED_RECEIVED)
    other = outbox_in(tmp_path, key=OTHER)
    later = new_capture_id(1_780_000_000_001)
    accept(other, later)
    assert other.read_image(later) == IMAGE


def test_a_stored_image_is_gone_from_the_folder(tmp_path: Path) -> None:
    outbox = outbox_in(tmp_path, key=None)
    accept(outbox)
    outbox.advance(CAPTURE_ID, CaptureEvent.PART_SENT)
    outbox.advance(CAPTURE_ID, CaptureEvent.STORED_RECEIVED)
    assert list((tmp_path / "images").iterdir()) == []
    assert b"left forearm" not in on_disk(tmp_path)


def test_one_file_cant_stand_in_for_another(tmp_path: Path) -> None:
    outbox = outbox_in(tmp_path)
    other = new_capture_id(1_780_000_000_001)
    accept(outbox)
    accept(outbox, other)
    (tmp_path / "images" / CAPTURE_ID).write_bytes((tmp_path / "images" / other).read_bytes())
    with pytest.raises(DamagedImageError):
        outbox.read_image(CAPTURE_ID)


@given(st.data())
def test_any_changed_or_cut_file_is_damaged(data: st.DataObject) -> None:
    cipher = ImageCipher(KEY)
    sealed = bytearray(cipher.seal(CAPTURE_ID, IMAGE))
    cut = data.draw(st.integers(4, len(sealed)))
    if cut == len(sealed):
        sealed[data.draw(st.integers(4, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(DamagedImageError):
        cipher.open(CAPTURE_ID, bytes(sealed[:cut]))


def test_everything_is_for_the_agents_user_alone(tmp_path: Path) -> None:
    state_dir = tmp_path / "state"
    (state_dir / "images").mkdir(parents=True, mode=0o755)
    (state_dir / "outbox.sqlite3").touch(mode=0o644)
    before = os.umask(0)
    try:
        accept(outbox_in(state_dir))
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in state_dir.rglob("*")}
    assert len(modes) >= 5
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}


def printing(text: str) -> tuple[str, ...]:
    return (sys.executable, "-c", f"print({text!r})")


ENCODED = base64.b64encode(KEY).decode()


@pytest.mark.parametrize(
    "find",
    [
        lambda: find_cipher((), {KEY_VARIABLE: ENCODED}),
        lambda: find_cipher(printing(ENCODED), {}),
        lambda: find_cipher(printing("no key"), {KEY_VARIABLE: ENCODED}),
    ],
)
def test_the_key_comes_from_the_environment_or_a_keyrings_command(find: Callable[[], ImageCipher | None]) -> None:
    cipher = find()
    assert cipher is not None
    assert cipher.key_id == ImageCipher(KEY).key_id


@pytest.mark.parametrize(
    ("command", "environment"),
    [
        ((), {KEY_VARIABLE: "c2hvcnQ="}),
        ((), {KEY_VARIABLE: "not base64!"}),
        (printing("secret-but-short"), {}),
        (("/no/such/program",), {}),
        ((sys.executable, "-c", "raise SystemExit(3)"), {}),
    ],
)
def test_what_is_no_key_is_said_without_being_shown(command: tuple[str, ...], environment: dict[str, str]) -> None:
    with pytest.raises(SettingsError) as caught:
        find_cipher(command, environment)
    for value in ("secret", *environment.values()):
        assert value not in str(caught.value)


def test_without_a_key_there_is_no_cipher(tmp_path: Path) -> None:
    assert find_cipher((), {}) is None
    ImageFolder(tmp_path / "images", tmp_path / "orphans")
    assert not (tmp_path / "images.key-id").exists()
