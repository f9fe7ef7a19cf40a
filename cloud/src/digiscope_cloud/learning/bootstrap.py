"""Puts a training run together: config, data, protocol, trainer, bundle."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from digiscope_cloud.learning.batches import TrainingSet
from digiscope_cloud.learning.config import TrainingConfig
from digiscope_cloud.learning.datasets.examples import Dataset
from digiscope_cloud.learning.datasets.opening import open_dataset
from digiscope_cloud.learning.folds import FoldFigures, judge_in_folds
from digiscope_cloud.learning.observers import validating, watching
from digiscope_cloud.learning.packaging import Parts, package, rows_digest
from digiscope_cloud.learning.paper_audit import audit_paper
from digiscope_cloud.learning.paper_bundle import package_paper
from digiscope_cloud.learning.paper_record import save_record
from digiscope_cloud.learning.paper_run import paper_inputs, run_paper
from digiscope_cloud.learning.part_data import LABELS, load_part
from digiscope_cloud.learning.protocols import Part, grouped_v1
from digiscope_cloud.learning.teacher import teacher_logits
from digiscope_cloud.learning.training_run import train
from digiscope_shared import settings_file
from digiscope_shared.errors import SettingsError

_log = structlog.get_logger()


def train_grouped(config_path: Path, data_folder: Path, labels: Path | None, runs: Path, bundle: Path | None) -> Path:
    """Train under `grouped-v1` and return the bundle's folder."""
    config = settings_file.load(TrainingConfig, config_path)
    dataset = _open_grouped(data_folder, labels)
    parts = [part for part, _ in grouped_v1(dataset.examples)]
    training = load_part(dataset, parts, Part.TRAIN)
    validation = load_part(dataset, parts, Part.VAL)
    (runs / config.id).mkdir(parents=True, exist_ok=True)
    (runs / config.id / "config.yaml").write_bytes(config_path.read_bytes())
    soft = teacher_logits(config.distillation, training.images_bgr, runs) if config.distillation else None
    taught = TrainingSet(images_bgr=training.images_bgr, classes=training.classes, teacher_logits=soft)
    with validating(config, validation, runs / config.id) as observer:
        model = train(config, taught, observer, runs / config.id, runs)
    packed = package(config, model, grouped_parts(dataset, parts), bundle or runs / config.id / "bundle")
    for name in ("balanced_accuracy", "macro_auroc", "malignant.specificity_at_sensitivity_95", "ece"):
        estimate = packed.manifest.metrics[name]
        _log.info("measured", figure=name, value=estimate.value, low=estimate.low, high=estimate.high)
    return packed.path


def run_folds(config_path: Path, data_folder: Path, runs: Path) -> FoldFigures:
    """Train and judge under five folds; runs lie in RUNS/ID/fold-N."""
    config = settings_file.load(TrainingConfig, config_path)
    dataset = _open_grouped(data_folder)

    def train_one(config: TrainingConfig, training: TrainingSet, run_dir: Path) -> Any:
        _log.info("fold_begun", run=str(run_dir), images=len(training.classes))
        with watching() as observer:
            return train(config, training, observer, run_dir, runs)

    return judge_in_folds(config, dataset, runs / config.id, train_one)


def _open_grouped(data_folder: Path, labels: Path | None = None) -> Dataset:
    dataset = open_dataset(data_folder, labels)
    if not dataset.grouped:
        raise SettingsError(
            f"{dataset.name} names no lesions, so no split of it is honest; only --protocol paper takes it"
        )
    return dataset


def grouped_parts(dataset: Dataset, parts: Sequence[Part]) -> Parts:
    return Parts(
        validation=load_part(dataset, parts, Part.VAL),
        calibration=load_part(dataset, parts, Part.CAL),
        test=load_part(dataset, parts, Part.TEST),
        sizes={part: parts.count(part) for part in Part},
        class_counts=_class_counts(dataset, parts),
        digest=rows_digest(dataset.examples, parts),
        name=dataset.name,
        protocol="grouped-v1",
        leaky=False,
    )


def _class_counts(dataset: Dataset, parts: Sequence[Part]) -> Any:
    rows = zip(dataset.examples, parts, strict=True)
    codes = [LABELS.index(example.lesion_class) for example, part in rows if part is Part.TRAIN]
    return np.bincount(codes, minlength=len(LABELS))


def train_paper(data_folder: Path, runs: Path, bundle: Path | None, *, augmented: bool) -> Path:
    """Reproduce the paper and return the (leaky) bundle's folder; what the report draws is kept in the run's folder."""
    dataset = open_dataset(data_folder)
    run_dir = runs / ("paper-augmented" if augmented else "paper-reproduction")
    outcome = run_paper(dataset, run_dir, augmented=augmented)
    packed = package_paper(outcome, dataset, bundle or run_dir / "bundle")
    inputs = paper_inputs(dataset)
    found = audit_paper(outcome.split, inputs, dataset.examples, outcome.dense_probabilities.argmax(axis=1))
    save_record(run_dir, outcome, found)
    _log.info("audited", **{name: round(value, 4) for name, value in asdict(found).items()})
    return packed.path
