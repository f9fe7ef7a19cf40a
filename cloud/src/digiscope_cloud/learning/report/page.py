"""One HTML page with everything in it, and the same figures as PNGs beside it."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from digiscope_cloud.learning.datasets.examples import Dataset
from digiscope_cloud.learning.paper_protocol import CODES
from digiscope_cloud.learning.paper_record import PaperRecord
from digiscope_cloud.learning.report import figures
from digiscope_cloud.learning.report.paper_tables import (
    SAMPLE_MS,
    TABLE_4,
    TABLE_5,
    TABLE_6,
    TABLE_7,
    TRAINING_MINUTES,
)
from digiscope_shared.lesions import DISCLAIMER
from digiscope_shared.model_bundle import ModelBundle

PAGE: Final = "report.html"


def write_report(record: PaperRecord, dataset: Dataset, bundles: Sequence[ModelBundle], folder: Path) -> Path:
    """Draw and write; return the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    images = _draw(record, dataset, folder)
    environment = Environment(
        loader=PackageLoader("digiscope_cloud.learning", "report"), autoescape=True, undefined=StrictUndefined
    )
    page = environment.get_template("page.html.j2").render(
        record=record,
        audit=record.audit,
        disclaimer=DISCLAIMER,
        table4=_table_4(record),
        table5=TABLE_5,
        table6=TABLE_6,
        table7=TABLE_7,
        minutes=TRAINING_MINUTES,
        sample_ms=SAMPLE_MS,
        bundles=[_bundle_row(bundle) for bundle in bundles],
        images={title: base64.b64encode(path.read_bytes()).decode() for title, path in images.items()},
        pct=lambda share: f"{share * 100:.1f} %",
    )
    (folder / PAGE).write_text(page, encoding="utf-8")
    return folder / PAGE


def _draw(record: PaperRecord, dataset: Dataset, folder: Path) -> dict[str, Path]:
    images = {
        "Figure 1: the seven classes": folder / "figure-1-classes.png",
        "Figure 2: augmentations": folder / "figure-2-augmentations.png",
        "Figure 7: confusion matrix": folder / "figure-7-confusion.png",
        "Figure 8: accuracy": folder / "figure-8-accuracy.png",
        "Figure 9: loss": folder / "figure-9-loss.png",
    }
    classes, views, confusion, accuracy, loss = images.values()
    figures.figure_1_classes(dataset, classes)
    figures.figure_2_augmentations(dataset, views)
    figures.figure_7_confusion(record.confusion, confusion)
    figures.curves(record.history, "accuracy", accuracy)
    figures.curves(record.history, "loss", loss)
    return images


def _table_4(record: PaperRecord) -> list[dict[str, Any]]:
    return [
        {
            "printed": printed[0],
            "corrected": f"{code}-{label}",
            "paper": printed[1:4],
            "ours": (record.precision[code], record.recall[code], record.f1[code]),
            "paper_support": printed[4],
            "support": record.support[code],
        }
        for code, (label, printed) in enumerate(zip(CODES, TABLE_4, strict=True))
    ]


def _bundle_row(bundle: ModelBundle) -> dict[str, Any]:
    measured = bundle.manifest.metrics
    return {
        "id": bundle.model_id,
        "accuracy": measured["accuracy"].value,
        "balanced_accuracy": measured["balanced_accuracy"].value,
    }
