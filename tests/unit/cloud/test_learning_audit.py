"""A planted leak is found, and nothing else."""

import csv
from pathlib import Path

import cv2
import pytest
from click.testing import CliRunner

from digiscope_cloud.learning.audit_command import audit_command
from digiscope_cloud.learning.leak_audit import Row, audit, fingerprint
from digiscope_shared.imaging.phantoms import draw_phantom


def _write(folder: Path, rows: list[tuple[str, str, str]]) -> Path:
    path = folder / "split.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("image", "group", "part"), *rows])
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for seed in range(6):
        cv2.imwrite(str(folder / f"p{seed}.png"), draw_phantom(seed, width=200, height=150))
    return folder


def _run(split: Path, images: Path, *more: str) -> tuple[int, str]:
    result = CliRunner().invoke(audit_command, ["--split", str(split), "--images", str(images), *more])
    return result.exit_code, result.output


def test_a_clean_split_passes(tmp_path: Path, images: Path) -> None:
    split = _write(tmp_path, [(f"p{n}.png", f"g{n}", "train" if n < 3 else "test") for n in range(6)])
    code, output = _run(split, images)
    assert code == 0, output
    assert "nothing leaks" in output


def test_a_planted_copy_is_found(tmp_path: Path, images: Path) -> None:
    (images / "copy.png").write_bytes((images / "p0.png").read_bytes())
    split = _write(tmp_path, [("p0.png", "a", "train"), ("p1.png", "b", "test"), ("copy.png", "c", "test")])
    code, output = _run(split, images, "--json")
    assert code == 1
    assert '"copies": {"copy.png": "p0.png"}' in output


def test_a_planted_smaller_and_compressed_copy_is_found(tmp_path: Path, images: Path) -> None:
    small = cv2.resize(draw_phantom(0, width=200, height=150), (160, 120), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(images / "near.jpg"), small)
    split = _write(tmp_path, [("p0.png", "a", "train"), ("p1.png", "b", "test"), ("near.jpg", "c", "test")])
    code, output = _run(split, images, "--json")
    assert code == 1
    assert '"near_copies": {"near.jpg": "p0.png"}' in output


def test_a_lesion_on_both_sides_is_found(tmp_path: Path, images: Path) -> None:
    split = _write(tmp_path, [("p0.png", "same", "train"), ("p1.png", "same", "test"), ("p2.png", "b", "test")])
    code, output = _run(split, images)
    assert code == 1
    assert "p1.png is like p0.png" in output


def test_a_wrong_table_is_a_usage_error(tmp_path: Path, images: Path) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("image,part\nx,train\n", encoding="utf-8")
    code, output = _run(wrong, images)
    assert code == 2
    assert "'group' is missing" in output


def test_rows_without_a_group_share_none() -> None:
    rows = [Row(image="a", group="", part="train"), Row(image="b", group="", part="test")]
    prints = [fingerprint(draw_phantom(seed, width=64, height=48)) for seed in (1, 2)]
    assert not audit(rows, prints).shared_groups
