"""Finished runs' logits for the training images: what another network learns from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from digiscope_cloud.learning.config import Distillation, TrainingConfig
from digiscope_cloud.learning.datasets.examples import ImagesBgr
from digiscope_cloud.learning.networks.registry import serving_model
from digiscope_cloud.learning.predicting import predict_logits
from digiscope_shared import settings_file
from digiscope_shared.errors import SettingsError


def teacher_logits(distillation: Distillation, images_bgr: Sequence[ImagesBgr], runs: Path) -> Any:
    """Return rows × classes: the mean over the teachers.

    Raises:
        SettingsError: a teacher isn't trained yet.
    """
    return np.mean([_logits_of(runs / each, images_bgr) for each in distillation.teachers], axis=0)


def _logits_of(run_dir: Path, images_bgr: Sequence[ImagesBgr]) -> Any:
    """Return the mean over each image and its mirror images, kept in the run's folder as long as its model stays."""
    trained, kept = run_dir / "model.keras", run_dir / "teacher_logits.npy"
    if not trained.is_file():
        raise SettingsError(f"{run_dir.name} is to teach: train that first")
    if kept.is_file() and kept.stat().st_mtime >= trained.stat().st_mtime:
        return np.load(kept, allow_pickle=False)
    model = serving_model(keras.models.load_model(trained, compile=False))
    spec = settings_file.load(TrainingConfig, run_dir / "config.yaml").input
    views = (images_bgr, [image[:, ::-1] for image in images_bgr], [image[::-1] for image in images_bgr])
    logits = np.mean([predict_logits(model, view, spec) for view in views], axis=0)
    np.save(kept, logits)
    return logits
