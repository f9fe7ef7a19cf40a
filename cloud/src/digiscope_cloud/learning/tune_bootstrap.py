"""Puts the search together: journal, trainer, analysis of each round."""

import dataclasses
from pathlib import Path

import keras
import optuna

from digiscope_cloud.learning.batches import TrainingSet
from digiscope_cloud.learning.checkpoint import Progress
from digiscope_cloud.learning.config import TrainingConfig
from digiscope_cloud.learning.datasets.ham10000 import open_ham10000
from digiscope_cloud.learning.observers import validating
from digiscope_cloud.learning.part_data import LABELS, PartData, load_part
from digiscope_cloud.learning.predicting import predict_logits
from digiscope_cloud.learning.protocols import Part, grouped_v1
from digiscope_cloud.learning.round_analysis import analyse, write_analysis
from digiscope_cloud.learning.train_command import CONFIGS
from digiscope_cloud.learning.training_run import train
from digiscope_cloud.learning.tuning import TARGET, Round, TuneSettings, tune
from digiscope_shared import settings_file


def tune_on_ham10000(settings: TuneSettings, data: Path, runs: Path) -> optuna.Study:
    """Search on the train part, judge on val."""
    base = settings_file.load(TrainingConfig, CONFIGS / f"{settings.base}.yaml")
    dataset = open_ham10000(data)
    parts = [part for part, _ in grouped_v1(dataset.examples)]
    loaded = load_part(dataset, parts, Part.TRAIN)
    training = TrainingSet(images_bgr=loaded.images_bgr, classes=loaded.classes)
    validation = load_part(dataset, parts, Part.VAL)
    return tune(settings, base, runs / "journal.log", lambda a_round: _run(a_round, training, validation, runs))


def _run(a_round: Round, training: TrainingSet, validation: PartData, runs: Path) -> dict[str, float]:
    run_dir = runs / a_round.config.id
    figures: dict[str, float] = {}
    with validating(a_round.config, validation, run_dir) as watching:

        def epoch_ended(progress: Progress, model: keras.Model) -> dict[str, float]:
            figures.update(watching.epoch_ended(progress, model))
            a_round.report(progress.epoch, figures[TARGET])
            return figures

        observer = dataclasses.replace(watching, epoch_ended=epoch_ended)
        model = train(a_round.config, training, observer, run_dir, runs)
    logits = predict_logits(model, validation.images_bgr, a_round.config.input)
    ids = [example.image_id for example in validation.examples]
    write_analysis(analyse(validation.classes, logits, ids, LABELS), run_dir / "analysis.json")
    return figures
