"""The training loop: one step function, averaged weights, checkpoints to the minute."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import structlog
import tensorflow as tf

from digiscope_cloud.learning import checkpoint
from digiscope_cloud.learning.batches import (
    TrainingSet,
    batches_of_epoch,
    drawn_shares,
    steps_in_epoch,
)
from digiscope_cloud.learning.checkpoint import Progress
from digiscope_cloud.learning.config import Stage, TrainingConfig

_log = structlog.get_logger()
CHECKPOINT_EVERY_S: Final = 60.0
_EXIT_TEMPERATURE: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Observer:
    """Whom the loop tells: after each step, and after each epoch with the model that would serve."""

    stepped: Callable[[Progress, int, float], None]
    epoch_ended: Callable[[Progress, keras.Model], dict[str, float]]


class Trainer:
    """Trains one model on one training set, from its last checkpoint if there is one."""

    def __init__(
        self, config: TrainingConfig, model: keras.Model, averaged: keras.Model, data: TrainingSet, run_dir: Path
    ) -> None:
        self._config, self._model, self._averaged, self._data = config, model, averaged, data
        self._path = run_dir / "checkpoint.npz"
        self._optimizer = keras.optimizers.AdamW(config.learning_rate, weight_decay=config.weight_decay)
        # Norms and biases hold no knowledge that decay could keep in bounds.
        self._optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        self._optimizer.build(model.trainable_variables)
        self._variables = [*model.variables, *averaged.variables, *self._optimizer.variables]
        self._loss = _loss_function(config, data)
        self._step = tf.function(self._train_step, reduce_retracing=True)
        self._steps = sum(steps_in_epoch(len(data.classes), stage) * stage.epochs for stage in config.stages)

    @property
    def steps(self) -> int:
        return self._steps

    def run(self, observer: Observer, clock: Callable[[], float] = time.monotonic) -> Progress:
        """Train to the end; an interrupt loses a minute at most, since the next call goes on from the checkpoint."""
        progress = checkpoint.load(self._path, self._variables) or Progress()
        for epoch, stage in list(enumerate(_stage_of_epochs(self._config)))[progress.epoch :]:
            self._run_epoch(epoch, stage, progress, observer, clock)
        return progress

    def _run_epoch(
        self, epoch: int, stage: Stage, progress: Progress, observer: Observer, clock: Callable[[], float]
    ) -> None:
        last, saved = clock(), clock()
        loss = float("nan")
        for inputs, rows in batches_of_epoch(self._data, self._config, stage, epoch, progress.step):
            self._optimizer.learning_rate.assign(_learning_rate(self._config, progress.total_steps, self._steps))
            average = _averaging(self._config, progress.total_steps)
            loss = float(self._step(inputs, *self._targets(rows), tf.constant(average)))
            progress.step += 1
            progress.total_steps += 1
            now = clock()
            progress.trained_s += now - last
            last = now
            if now - saved > CHECKPOINT_EVERY_S:
                checkpoint.save(self._path, self._variables, progress)
                saved = now
            observer.stepped(progress, self._steps, loss)
        progress.epoch, progress.step = epoch + 1, 0
        figures = {"epoch": epoch + 1.0, "loss": loss, "trained_s": progress.trained_s}
        progress.history.append(figures | observer.epoch_ended(progress, self._averaged))
        checkpoint.save(self._path, self._variables, progress)

    def _total_loss(self, classes: Any, teacher: Any, outputs: Any) -> Any:
        if not isinstance(outputs, list):
            return self._loss(classes, teacher, outputs)
        late, early = outputs
        taught = _soft_loss(tf.stop_gradient(late), early, _EXIT_TEMPERATURE)
        share = self._config.early_exit
        return self._loss(classes, teacher, late) + share * (self._loss(classes, teacher, early) + taught) / 2

    def _targets(self, rows: Any) -> tuple[Any, Any]:
        teacher = self._data.teacher_logits
        none = np.zeros((len(rows), 0), np.float32)
        return self._data.classes[rows], none if teacher is None else teacher[rows]

    def _train_step(self, inputs: Any, classes: Any, teacher: Any, average: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = self._total_loss(classes, teacher, self._model(inputs, training=True))
        gradients = tape.gradient(loss, self._model.trainable_variables)
        self._optimizer.apply(gradients, self._model.trainable_variables)
        for mean, variable in zip(self._averaged.variables, self._model.variables, strict=True):
            if "float" in mean.dtype:
                mean.assign(average * mean + (1 - average) * variable)
        return loss


def _soft_loss(teacher: Any, student: Any, temperature: float) -> Any:
    """Return the cross-entropy of softened answers, scaled so that its gradients don't shrink (Hinton et al. 2015)."""
    targets = tf.nn.softmax(teacher / temperature)
    return temperature**2 * tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, student / temperature))


def _loss_function(config: TrainingConfig, data: TrainingSet) -> Callable[[Any, Any, Any], Any]:
    """Cross-entropy of logits shifted by the drawn classes' log shares, and for distillation the teacher's part."""
    count = int(data.classes.max()) + 1
    shares = drawn_shares(data.classes, config.sampling_power, count)
    shift = tf.constant(config.logit_adjustment * np.log(np.maximum(shares, 1e-6)), tf.float32)

    def hard(classes: Any, logits: Any) -> Any:
        targets = tf.one_hot(classes, count) * (1 - config.label_smoothing) + config.label_smoothing / count
        return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits + shift))

    distillation = config.distillation
    if distillation is None:
        return lambda classes, _, logits: hard(classes, logits)
    soften, weight = distillation.temperature, distillation.weight

    def mixed(classes: Any, teacher: Any, logits: Any) -> Any:
        return weight * _soft_loss(teacher, logits, soften) + (1 - weight) * hard(classes, logits)

    return mixed


def _learning_rate(config: TrainingConfig, step: int, steps: int) -> float:
    warmup = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
    return config.learning_rate * warmup * (config.final_rate + (1 - config.final_rate) * cosine)


def _averaging(config: TrainingConfig, step: int) -> float:
    # Short memory at first: the first weights aren't worth keeping.
    return min(config.averaging, (1 + step) / (10 + step)) if config.averaging else 0.0


def _stage_of_epochs(config: TrainingConfig) -> list[Stage]:
    return [stage for stage in config.stages for _ in range(stage.epochs)]
