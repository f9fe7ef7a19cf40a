"""Who watches a run: a bar or log lines, figures on the validation part, TensorBoard."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import structlog
import tensorflow as tf
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from digiscope_cloud.learning.checkpoint import Progress as RunProgress
from digiscope_cloud.learning.config import TrainingConfig
from digiscope_cloud.learning.metrics import balanced_accuracy, macro_auroc
from digiscope_cloud.learning.part_data import PartData
from digiscope_cloud.learning.predicting import predict_logits
from digiscope_cloud.learning.training import Observer

_log = structlog.get_logger()
_LOG_EVERY_STEPS = 20


@contextmanager
def watching() -> Iterator[Observer]:
    """Show progress with the time left, and measure nothing."""
    with _bar() as show:
        yield Observer(stepped=show, epoch_ended=lambda _progress, _model: {})


@contextmanager
def validating(config: TrainingConfig, validation: PartData, run_dir: Path) -> Iterator[Observer]:
    """Show progress with the time left, and measure the averaged weights on the validation part after each epoch."""
    summary = tf.summary.create_file_writer(str(run_dir / "tensorboard"))
    with _bar() as show:

        def stepped(progress: RunProgress, steps: int, loss: float) -> None:
            show(progress, steps, loss)
            if progress.total_steps % _LOG_EVERY_STEPS == 0:
                with summary.as_default():
                    tf.summary.scalar("loss", loss, step=progress.total_steps)

        def epoch_ended(progress: RunProgress, model: keras.Model) -> dict[str, float]:
            figures = validation_figures(model, validation, config)
            with summary.as_default():
                for name, value in figures.items():
                    tf.summary.scalar(name, value, step=progress.total_steps)
            summary.flush()
            rounded = {name: round(value, 4) for name, value in figures.items()}
            _log.info("epoch_ended", epoch=progress.epoch, **rounded)
            return figures

        yield Observer(stepped=stepped, epoch_ended=epoch_ended)


def validation_figures(model: keras.Model, validation: PartData, config: TrainingConfig) -> dict[str, float]:
    """Return balanced accuracy and macro AUROC, of both exits where there are two."""
    outputs = keras.layers.Concatenate()(model.outputs) if len(model.outputs) > 1 else model.outputs[0]
    both = predict_logits(keras.Model(model.inputs, outputs), validation.images_bgr, config.input)
    figures = {}
    for name, logits in zip(("", "early_"), np.split(both, len(model.outputs), axis=1), strict=False):
        figures[f"val_{name}balanced_accuracy"] = balanced_accuracy(validation.classes, logits.argmax(1))
        figures[f"val_{name}macro_auroc"] = macro_auroc(validation.classes, logits)
    return figures


@contextmanager
def _bar() -> Iterator[Any]:
    """Yield a function that shows one step: a bar on a terminal, now and then a line elsewhere."""
    if not sys.stderr.isatty():
        yield _log_step
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("training")

        def show(progress: RunProgress, steps: int, loss: float) -> None:
            bar.update(
                task,
                total=steps,
                completed=progress.total_steps,
                description=f"epoch {progress.epoch + 1} loss {loss:.3f}",
            )

        yield show


def _log_step(progress: RunProgress, steps: int, loss: float) -> None:
    if progress.total_steps % _LOG_EVERY_STEPS == 0:
        left_s = progress.trained_s / progress.total_steps * (steps - progress.total_steps)
        _log.info("trained", step=progress.total_steps, of=steps, loss=round(loss, 3), left_s=round(left_s))
