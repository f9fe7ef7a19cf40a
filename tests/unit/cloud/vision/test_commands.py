import json
from pathlib import Path
from zipfile import ZipFile

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from digiscope_cloud.__main__ import main
from digiscope_shared.imaging.phantoms import draw_phantom_with_mask
from digiscope_shared.lesions import DISCLAIMER
from tests.support import hostile_images


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for seed in (1, 2):
        drawn = draw_phantom_with_mask(seed)
        (tmp_path / "images" / f"{seed}.jpg").write_bytes(hostile_images.encode(".jpg", drawn.image_bgr))
        (tmp_path / "masks" / f"{seed}.png").write_bytes(hostile_images.encode(".png", drawn.mask))
    return tmp_path


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout


def test_segment_writes_masks_and_figures(pictures: Path) -> None:
    folders = ("--images", pictures / "images", "--out", pictures / "out", "--masks", pictures / "masks")
    code, output = run("segment", *folders, "--json")
    assert code == 0
    figures = json.loads(output)
    assert (figures["masks"], figures["compared"], figures["refused"]) == (2, 2, {})
    assert figures["mean_dice"] > 0.9
    mask = np.asarray(cv2.imread(str(pictures / "out" / "1.png"), cv2.IMREAD_UNCHANGED))
    assert mask.shape == (450, 600)
    assert set(np.unique(mask)) == {0, 255}


def test_segment_reads_zip_files_and_names_what_it_refused(pictures: Path) -> None:
    with ZipFile(pictures / "images.zip", "w") as archive:
        archive.write(pictures / "images" / "1.jpg", "deep/1.jpg")
        archive.writestr("deep/broken.jpg", b"no image")
    code, output = run("segment", "--images", pictures / "images.zip", "--out", pictures / "out")
    assert code == 1
    assert "broken" in output
    assert DISCLAIMER in output
    assert (pictures / "out" / "1.png").exists()


@pytest.mark.parametrize("images", ["nowhere", "empty", "note.txt"])
def test_segment_says_what_is_no_folder_of_pictures(tmp_path: Path, images: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "note.txt").write_text("hello")
    assert run("segment", "--images", tmp_path / images, "--out", tmp_path / "out")[0] == 2


def test_inspect_for_machines_and_for_people(pictures: Path) -> None:
    code, output = run("inspect", pictures / "images" / "1.jpg", "--json", "--frame-width-mm", 12)
    assert code == 0
    found = json.loads(output)
    assert sum(found["probabilities"].values()) == pytest.approx(1, abs=0.01)
    assert found["vision"]["shape"]["diameter_mm"] > 1
    assert found["disclaimer"] == DISCLAIMER
    code, output = run("inspect", pictures / "images" / "1.jpg", "--overlay", pictures / "overlay.png")
    assert code == 0
    assert DISCLAIMER in output
    assert "if melanocytic" in output
    assert (pictures / "overlay.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("content", [b"", b"no image", hostile_images.png_bomb(), hostile_images.flat(".png", 1, 1)])
def test_inspect_refuses_with_a_reason(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "image.jpg").write_bytes(content)
    assert run("inspect", tmp_path / "image.jpg")[0] == 1
    assert run("inspect", tmp_path / "missing.jpg")[0] == 1
