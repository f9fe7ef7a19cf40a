"""The two protocols, from the metadata alone."""

import csv
from pathlib import Path

import numpy as np
import pytest

from digiscope_cloud.learning.datasets.examples import Example
from digiscope_cloud.learning.datasets.ham10000 import read_metadata
from digiscope_cloud.learning.paper_protocol import CODES, SUPPORTS, oversample, paper_split
from digiscope_cloud.learning.protocols import Part, grouped_v1
from digiscope_shared.errors import SettingsError
from digiscope_shared.lesions import LesionClass
from tests.support.ham10000 import ham10000_folder

HEADER = "lesion_id,image_id,dx,dx_type,age,sex,localization\n"


@pytest.mark.data
def test_grouped_v1_is_the_published_manifest() -> None:
    folder = ham10000_folder()
    examples = read_metadata(folder)
    with (folder / "grouped_v1.csv").open(newline="", encoding="utf-8") as file:
        published = [(row["image_id"], row["group_id"], row["part"], int(row["fold"])) for row in csv.DictReader(file)]
    parts = grouped_v1(examples)
    ours = [(e.image_id, e.group, str(part), fold) for e, (part, fold) in zip(examples, parts, strict=True)]
    assert ours == published


@pytest.mark.data
def test_the_papers_seven_supports_come_out_of_the_metadata() -> None:
    split = paper_split(read_metadata(ham10000_folder()))
    assert split.supports == SUPPORTS == (1359, 1318, 1262, 1351, 1374, 1358, 1365)
    assert (len(split.train_rows), len(split.test_rows)) == (37_548, 9_387)


def test_no_group_is_in_two_parts() -> None:
    examples = [
        Example(image_id=f"i{n}", group=f"g{n // 3}", lesion_class=list(LesionClass)[n // 3 % 7]) for n in range(600)
    ]
    parts_of_group: dict[str, set[Part]] = {}
    for example, (part, _) in zip(examples, grouped_v1(examples), strict=True):
        parts_of_group.setdefault(example.group, set()).add(part)
    assert all(len(parts) == 1 for parts in parts_of_group.values())
    assert set.union(*parts_of_group.values()) == set(Part)


def test_oversampling_fills_every_class_to_the_largest() -> None:
    codes = np.array([0, 1, 1, 1, 2, 2])
    rows = oversample(codes, np.random.default_rng(0))
    assert rows[:6].tolist() == [0, 1, 2, 3, 4, 5]
    assert np.bincount(codes[rows]).tolist() == [3, 3, 3]


def test_the_papers_codes_name_every_class_once() -> None:
    assert sorted(CODES) == sorted(LesionClass)


def test_a_missing_table_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"doi\.org"):
        read_metadata(tmp_path)


def test_an_unknown_class_is_named(tmp_path: Path) -> None:
    (tmp_path / "HAM10000_metadata.csv").write_text(HEADER + "L1,I1,wart,histo,50,male,face\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"I1.*wart"):
        read_metadata(tmp_path)


def test_what_is_not_known_stays_unknown(tmp_path: Path) -> None:
    (tmp_path / "HAM10000_metadata.csv").write_text(HEADER + "L1,I1,nv,histo,,unknown,unknown\n", encoding="utf-8")
    (example,) = read_metadata(tmp_path)
    assert (example.age, example.sex, example.site) == (None, "", "")
    assert not hasattr(example, "dx_type")


def test_two_lesions_of_one_skin_are_one_group(tmp_path: Path) -> None:
    rows = "".join(f"L{n},I{n},nv,histo,50,male,face\n" for n in (1, 2, 3))
    (tmp_path / "HAM10000_metadata.csv").write_text(HEADER + rows, encoding="utf-8")
    (tmp_path / "duplicate_pairs.csv").write_text("image_id,duplicate_image_id\nI3,I2\n", encoding="utf-8")
    assert [example.group for example in read_metadata(tmp_path)] == ["L1", "L2", "L2"]
