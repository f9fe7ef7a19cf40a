"""The paper's training in small: both heads, its rows as they are and its views, and what the report reads."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from digiscope_cloud.learning.datasets.examples import Dataset, Example
from digiscope_cloud.learning.paper_audit import audit_paper
from digiscope_cloud.learning.paper_bundle import package_paper
from digiscope_cloud.learning.paper_protocol import CODES
from digiscope_cloud.learning.paper_record import load_record, save_record
from digiscope_cloud.learning.paper_run import paper_inputs, run_paper
from digiscope_cloud.learning.train_command import train
from digiscope_shared.errors import SettingsError
from digiscope_shared.imaging.phantoms import draw_phantom

EXAMPLES = tuple(
    Example(image_id=str(number), group=str(number // 2), lesion_class=CODES[number % 7]) for number in range(28)
)


def png(image_id: str) -> bytes:
    return cv2.imencode(".png", draw_phantom(int(image_id), width=40, height=30))[1].tobytes()


DATASET = Dataset(name="drawn", examples=EXAMPLES, read=png)


@pytest.mark.parametrize("augmented", [False, True])
def test_a_run_leaves_a_leaky_bundle_and_a_record(tmp_path: Path, *, augmented: bool) -> None:
    outcome = run_paper(DATASET, tmp_path, epochs=2, augmented=augmented)
    assert outcome.dense_probabilities.shape == (len(outcome.split.test_rows), 7)
    assert len(outcome.history["val_accuracy"]) == 2
    found = audit_paper(outcome.split, paper_inputs(DATASET), EXAMPLES, outcome.dense_probabilities.argmax(axis=1))
    save_record(tmp_path, outcome, found)
    assert load_record(tmp_path).heads.keys() == {"Dense", "SVM"}
    manifest = package_paper(outcome, DATASET, tmp_path / "bundle").manifest
    assert manifest.leaky
    assert manifest.training["augmented"] is augmented


def test_views_change_what_is_learnt(tmp_path: Path) -> None:
    plain, viewed = (run_paper(DATASET, tmp_path / str(flag), epochs=1, augmented=flag) for flag in (False, True))
    assert not np.allclose(plain.dense_probabilities, viewed.dense_probabilities)


def test_the_split_needs_every_image(tmp_path: Path) -> None:
    broken = Dataset(name="drawn", examples=EXAMPLES, read=lambda image_id: b"" if image_id == "3" else png(image_id))
    with pytest.raises(SettingsError, match="needs every image; can't read 3"):
        run_paper(broken, tmp_path, epochs=1)


def test_augmented_belongs_to_the_papers_protocol() -> None:
    outcome = CliRunner().invoke(train, ["--augmented"])
    assert outcome.exit_code == 2
    assert "goes with --protocol paper" in outcome.output
