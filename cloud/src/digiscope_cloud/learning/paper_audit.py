"""How much of the paper's test part was seen in training, and how the model does on each kind of row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from digiscope_cloud.learning.datasets.examples import Example
from digiscope_cloud.learning.paper_protocol import CODES, PaperSplit
from digiscope_shared.lesions import LesionClass


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperAudit:
    """Shares of the test rows; accuracies of the dense head on each kind, and of looking pixels up."""

    copies: float
    same_lesion: float
    clean: float
    accuracy_on_copies: float
    accuracy_on_same_lesion: float
    accuracy_on_clean: float
    nevus_recall_on_clean: float
    balanced_accuracy_on_clean: float
    hash_lookup_accuracy: float

    @property
    def shows_training_lesion(self) -> float:
        return self.copies + self.same_lesion


def audit_paper(split: PaperSplit, inputs: Any, examples: Sequence[Example], predicted: Any) -> PaperAudit:
    """Sort test rows into pixel copies of training rows, other images of training lesions, and clean ones."""
    looked_up = {inputs[row].tobytes(): code for row, code in zip(split.train_rows, split.train_codes, strict=True)}
    pixels = [inputs[row].tobytes() for row in split.test_rows]
    copies = np.array([content in looked_up for content in pixels])
    trained = {examples[row].group for row in split.train_rows}
    same = np.array([examples[row].group in trained for row in split.test_rows]) & ~copies
    clean = ~copies & ~same
    right = predicted == split.test_codes
    nevus = CODES.index(LesionClass.NV)
    lookup = np.array([looked_up.get(content, nevus) for content in pixels])
    by_class = [right[clean & (split.test_codes == code)] for code in range(len(CODES))]
    return PaperAudit(
        copies=float(copies.mean()),
        same_lesion=float(same.mean()),
        clean=float(clean.mean()),
        accuracy_on_copies=float(right[copies].mean()),
        accuracy_on_same_lesion=float(right[same].mean()),
        accuracy_on_clean=float(right[clean].mean()),
        nevus_recall_on_clean=float(right[clean & (split.test_codes == nevus)].mean()),
        balanced_accuracy_on_clean=float(np.mean([hits.mean() for hits in by_class if len(hits)])),
        hash_lookup_accuracy=float((lookup == split.test_codes).mean()),
    )
