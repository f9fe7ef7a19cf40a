"""One run: a config, a data set and a protocol in; a folder with the trained model and its history out."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import structlog

from digiscope_cloud.learning.batches import TrainingSet
from digiscope_cloud.learning.checkpoint import Progress
from digiscope_cloud.learning.config import TrainingConfig
from digiscope_cloud.learning.datasets.examples import ImagesBgr
from digiscope_cloud.learning.metrics import balanced_accuracy, macro_auroc
from digiscope_cloud.learning.networks.registry import build_network, freeze, serving_model, start_weights
from digiscope_cloud.learning.part_data import LABELS, PartData
from digiscope_cloud.learning.training import Observer, Trainer
from digiscope_shared.model_input import InputSpec, build_input

_log = structlog.get_logger()


def predict_logits(model: keras.Model, images_bgr: Sequence[ImagesBgr], spec: InputSpec, *, batch: int = 64) -> Any:
    """Return rows × classes; the last batch is padded so that one graph serves all."""
    rows = []
    for start in range(0, len(images_bgr), batch):
        inputs = np.stack([build_input(image, spec) for image in images_bgr[start : start + batch]])
        padded = np.concatenate([inputs, np.zeros((batch - len(inputs), *inputs.shape[1:]), np.float32)])
        rows.append(model.predict_on_batch(padded)[: len(inputs)])
    return np.concatenate(rows)


def train(
    config: TrainingConfig, training: TrainingSet, validation: PartData, run_dir: Path, observer: Observer | None = None
) -> keras.Model:
    """Train, or go on; return the serving part of the model with averaged weights; `model.keras` has all of it."""
    run_dir.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(config.seed)
    model = build_network(config.network, len(LABELS))
    start_weights(model, config.network, run_dir.parent)
    freeze(model, config.network)
    averaged = build_network(config.network, len(LABELS))
    averaged.set_weights(model.get_weights())
    trainer = Trainer(config, model, averaged, training, run_dir)
    progress = trainer.run(observer or validating(config, validation, run_dir))
    (run_dir / "history.json").write_text(json.dumps(progress.history, indent=1), encoding="utf-8")
    averaged.save(run_dir / "model.keras")
    return serving_model(averaged)


def validating(config: TrainingConfig, validation: PartData, run_dir: Path) -> Observer:
    """Log progress, and measure the averaged weights on the validation part after each epoch."""

    def stepped(progress: Progress, steps: int, loss: float) -> None:
        if progress.total_steps % 20 == 0:
            left_s = progress.trained_s / progress.total_steps * (steps - progress.total_steps)
            _log.info("trained", step=progress.total_steps, of=steps, loss=round(loss, 3), left_s=round(left_s))

    def epoch_ended(progress: Progress, model: keras.Model) -> dict[str, float]:
        outputs = keras.layers.Concatenate()(model.outputs) if len(model.outputs) > 1 else model.outputs[0]
        both = predict_logits(keras.Model(model.inputs, outputs), validation.images_bgr, config.input)
        figures = {}
        for name, logits in zip(("", "early_"), np.split(both, len(model.outputs), axis=1), strict=False):
            figures[f"val_{name}balanced_accuracy"] = balanced_accuracy(validation.classes, logits.argmax(1))
            figures[f"val_{name}macro_auroc"] = macro_auroc(validation.classes, logits)
        model.save_weights(run_dir / "averaged.weights.h5")
        _log.info("epoch_ended", epoch=progress.epoch, **{name: round(value, 4) for name, value in figures.items()})
        return figures

    return Observer(stepped=stepped, epoch_ended=epoch_ended)
