"""Which images a demo sends: the user's, samples beside the project, or drawn ones; it says which."""

import zipfile
from pathlib import Path

import pytest

from digiscope_cloud.local import images
from digiscope_shared.errors import SettingsError
from digiscope_shared.imaging.header import probe


def jpeg(folder: Path) -> bytes:
    return images.drawn(1, folder).paths[0].read_bytes()


def test_the_users_folder_comes_first(tmp_path: Path) -> None:
    content = jpeg(tmp_path / "drawn")
    folder = tmp_path / "mine"
    folder.mkdir()
    for number in range(10):
        (folder / f"{number}.JPG").write_bytes(content)
    (folder / "notes.txt").write_text("not an image")
    found = images.gather(4, into=tmp_path / "into", folder=folder, samples=tmp_path / "ignored.zip")
    assert [path.name for path in found.paths] == ["000-0.JPG", "001-2.JPG", "002-5.JPG", "003-7.JPG"]
    assert found.origin == f"4 of the 10 images in {folder}"
    assert all(path.read_bytes() == content for path in found.paths)


def test_fewer_images_than_wanted_are_all_sent(tmp_path: Path) -> None:
    content = jpeg(tmp_path / "mine")
    found = images.gather(24, into=tmp_path / "into", folder=tmp_path / "mine", samples=None)
    assert [path.read_bytes() for path in found.paths] == [content]


def test_a_folder_without_images_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no image here"):
        images.gather(4, into=tmp_path / "into", folder=tmp_path, samples=None)


def test_samples_beside_the_project_come_next(tmp_path: Path) -> None:
    samples = tmp_path / "shared" / "data" / "ham10000" / "samples_600x450.zip"
    assert images.samples_beside(tmp_path / "checkout") is None
    samples.parent.mkdir(parents=True)
    with zipfile.ZipFile(samples, "w") as archive:
        for number in range(6):
            archive.writestr(f"samples/ISIC_{number}.jpg", b"pixels")
    assert images.samples_beside(tmp_path / "checkout") == samples
    found = images.gather(3, into=tmp_path / "into", folder=None, samples=samples)
    assert [path.name for path in found.paths] == ["ISIC_0.jpg", "ISIC_2.jpg", "ISIC_4.jpg"]
    assert "HAM10000" in found.origin


def test_else_phantoms_are_drawn_the_same_each_time(tmp_path: Path) -> None:
    first = images.gather(2, into=tmp_path / "a", folder=None, samples=None)
    second = images.gather(2, into=tmp_path / "b", folder=None, samples=None)
    contents = [path.read_bytes() for path in first.paths]
    assert contents == [path.read_bytes() for path in second.paths]
    assert contents[0] != contents[1]
    assert (probe(contents[0]).width, probe(contents[0]).height) == (600, 450)
    assert "phantoms" in first.origin
