"""The paper's audit on planted rows, and the page with all its artefacts."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from digiscope_cloud.learning.datasets.examples import Dataset, Example
from digiscope_cloud.learning.paper_audit import audit_paper
from digiscope_cloud.learning.paper_protocol import CODES, PaperSplit
from digiscope_cloud.learning.paper_record import PaperRecord
from digiscope_cloud.learning.report.page import write_report
from digiscope_shared.imaging.phantoms import draw_phantom
from digiscope_shared.lesions import DISCLAIMER


def test_the_audit_sorts_rows_into_copies_same_lesions_and_clean_ones() -> None:
    groups = ["a", "a", "b", "c"]
    examples = [Example(image_id=str(n), group=group, lesion_class=CODES[n]) for n, group in enumerate(groups)]
    inputs = np.arange(4, dtype=np.float32).reshape(4, 1)
    split = PaperSplit(
        train_rows=np.array([0, 2]),
        test_rows=np.array([0, 0, 1, 3]),
        train_codes=np.array([0, 2]),
        test_codes=np.array([0, 0, 1, 3]),
    )
    found = audit_paper(split, inputs, examples, np.array([0, 5, 1, 4]))
    assert (found.copies, found.same_lesion, found.clean) == (0.5, 0.25, 0.25)
    assert (found.accuracy_on_copies, found.accuracy_on_same_lesion, found.accuracy_on_clean) == (0.5, 1.0, 0.0)
    assert found.shows_training_lesion == 0.75
    # Two copies are found; the two others are called nevus, and are none.
    assert found.hash_lookup_accuracy == 0.5


@pytest.fixture
def record() -> PaperRecord:
    audit = dict.fromkeys(("copies", "same_lesion", "clean", "shows_training_lesion", "hash_lookup_accuracy"), 0.5)
    audit |= dict.fromkeys(("accuracy_on_copies", "accuracy_on_same_lesion", "accuracy_on_clean"), 0.25)
    audit |= dict.fromkeys(("balanced_accuracy_on_clean", "nevus_recall_on_clean"), 0.125)
    head = {"Accuracy": 0.9765, "Precision": 0.9, "Recall": 0.9, "F1-score": 0.9}
    return PaperRecord(
        precision=[0.9] * 7,
        recall=[0.8] * 7,
        f1=[0.85] * 7,
        support=[10] * 7,
        heads={"Dense": head, "SVM": head},
        confusion=np.eye(7, dtype=int).tolist(),
        history={name: [0.1, 0.2] for name in ("accuracy", "val_accuracy", "loss", "val_loss")},
        test_loss=0.2,
        train_s=600.0,
        sample_ms=0.1,
        audit=audit,
    )


def test_the_page_has_every_artefact(tmp_path: Path, record: PaperRecord) -> None:
    png = cv2.imencode(".png", draw_phantom(1, width=40, height=30))[1].tobytes()
    examples = tuple(Example(image_id=str(n), group=str(n), lesion_class=label) for n, label in enumerate(CODES))
    page = write_report(record, Dataset(name="drawn", examples=examples, read=lambda _: png), [], tmp_path)
    text = page.read_text(encoding="utf-8")
    for artefact in (
        "Table 4",
        "Table 5",
        "Table 6",
        "Table 7",
        "Figure 1",
        "Figure 2",
        "Figure 7",
        "Figure 8",
        "Figure 9",
    ):
        assert artefact in text, artefact
    assert DISCLAIMER in text.lower()
    assert "0.9765" in text
    assert "4-nv" in text
    assert len(list(tmp_path.glob("figure-*.png"))) == 5
