"""What the paper run leaves for the report: JSON, so that drawing needs no training and no TensorFlow."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from digiscope_cloud.learning.paper_audit import PaperAudit
from digiscope_cloud.learning.paper_protocol import CODES
from digiscope_cloud.learning.paper_run import PaperOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRecord:
    """Table 4's rows by code, Table 5's two heads, curves, confusion matrix, times and the audit."""

    precision: list[float]
    recall: list[float]
    f1: list[float]
    support: list[int]
    heads: dict[str, dict[str, float]]
    confusion: list[list[int]]
    history: dict[str, list[float]]
    test_loss: float
    train_s: float
    sample_ms: float
    audit: dict[str, float]


def save_record(run_dir: Path, outcome: PaperOutcome, audit: PaperAudit) -> None:
    truth, predicted = outcome.split.test_codes, outcome.dense_probabilities.argmax(axis=1)
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, predicted, labels=range(len(CODES)), zero_division=0.0
    )
    record = PaperRecord(
        precision=precision.tolist(),
        recall=recall.tolist(),
        f1=f1.tolist(),
        support=list(outcome.split.supports),
        heads={"Dense": _head(truth, predicted), "SVM": _head(truth, outcome.svm_codes)},
        confusion=confusion_matrix(truth, predicted).tolist(),
        history=outcome.history,
        test_loss=outcome.test_loss,
        train_s=outcome.train_s,
        sample_ms=outcome.sample_ms,
        audit=asdict(audit) | {"shows_training_lesion": audit.shows_training_lesion},
    )
    (run_dir / "record.json").write_text(json.dumps(asdict(record), indent=1), encoding="utf-8")


def load_record(run_dir: Path) -> PaperRecord:
    return PaperRecord(**json.loads((run_dir / "record.json").read_text(encoding="utf-8")))


def _head(truth: Any, predicted: Any) -> dict[str, float]:
    precision, recall, f1, _ = precision_recall_fscore_support(truth, predicted, average="macro", zero_division=0.0)
    return {
        "Accuracy": float(np.mean(truth == predicted)),
        "Precision": float(precision),
        "Recall": float(recall),
        "F1-score": float(f1),
    }
