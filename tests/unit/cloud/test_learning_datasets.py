"""Every data set that is read, and what is said where it isn't one."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from digiscope_cloud.learning.datasets.examples import load_images
from digiscope_cloud.learning.datasets.opening import open_dataset
from digiscope_shared.errors import SettingsError
from digiscope_shared.imaging.phantoms import draw_phantom
from digiscope_shared.lesions import LesionClass


def _hmnist(folder: Path, codes: list[int]) -> Path:
    header = ",".join([*(f"pixel{n:04d}" for n in range(2352)), "label"])
    rows = [",".join(["10", "20", "30"] * 784 + [str(code)]) for code in codes]
    (folder / "hmnist_28_28_RGB.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return folder / "hmnist_28_28_RGB.csv"


def test_hmnist_colours_and_codes(tmp_path: Path) -> None:
    dataset = open_dataset(_hmnist(tmp_path, [4, 6]))
    loaded = load_images(dataset, dataset.examples)
    assert [example.lesion_class for example in loaded.examples] == [LesionClass.NV, LesionClass.MEL]
    assert loaded.images_bgr[0][0, 0].tolist() == [30, 20, 10]
    assert not dataset.grouped


def test_hmnist_takes_its_lesions_from_the_metadata_beside_it(tmp_path: Path) -> None:
    path = _hmnist(tmp_path, [4, 6])
    metadata = "lesion_id,image_id,dx,dx_type,age,sex,localization\nL1,I1,nv,histo,50,male,face\nL1,I2,mel,histo,,,\n"
    (tmp_path / "HAM10000_metadata.csv").write_text(metadata, encoding="utf-8")
    dataset = open_dataset(path)
    assert dataset.grouped
    assert [example.group for example in dataset.examples] == ["L1", "L1"]
    assert len(load_images(dataset, dataset.examples).images_bgr) == 2


def test_dermamnist_codes_are_its_own(tmp_path: Path) -> None:
    arrays: dict[str, Any] = {}
    for part in ("train", "val", "test"):
        arrays[f"{part}_images"] = np.zeros((1, 28, 28, 3), np.uint8)
        arrays[f"{part}_labels"] = np.array([[4]])
    np.savez(tmp_path / "dermamnist.npz", **arrays)
    dataset = open_dataset(tmp_path / "dermamnist.npz")
    assert [example.lesion_class for example in dataset.examples] == [LesionClass.MEL] * 3
    assert len(load_images(dataset, dataset.examples).images_bgr) == 3


def test_any_folder_with_a_table_and_an_unreadable_image(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a.png"), draw_phantom(1, width=40, height=30))
    (tmp_path / "images" / "b.jpg").write_bytes(b"no image")
    (tmp_path / "labels.csv").write_text("image_id,dx\na.png,nv\nb,mel\nc,mel\n", encoding="utf-8")
    dataset = open_dataset(tmp_path / "images", tmp_path / "labels.csv")
    loaded = load_images(dataset, dataset.examples)
    assert [example.image_id for example in loaded.examples] == ["a"]
    assert loaded.unreadable == ("b", "c")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("nothing-here", None, "expected a folder with HAM10000_metadata.csv"),
        ("wrong.csv", "a,b\n", r"kaggle\.com"),
        ("wrong.npz", "no arrays", r"medmnist\.com"),
        ("wrong.txt", "x", "hmnist"),
    ],
)
def test_what_was_expected_is_said(tmp_path: Path, name: str, content: str | None, expected: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(SettingsError, match=expected):
        open_dataset(tmp_path / name)
