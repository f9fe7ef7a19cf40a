"""A finished run's logits for the training images: what a smaller network learns from."""

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


def teacher_logits(distillation: Distillation, images_bgr: Sequence[ImagesBgr], runs: Path) -> Any:
    """Return rows × classes: the mean over the image and its mirror images, kept in the teacher's run folder."""
    folder = runs / distillation.teacher
    kept = folder / "teacher_logits.npy"
    if kept.is_file():
        return np.load(kept, allow_pickle=False)
    model = serving_model(keras.models.load_model(folder / "model.keras", compile=False))
    spec = settings_file.load(TrainingConfig, folder / "config.yaml").input
    views = (images_bgr, [image[:, ::-1] for image in images_bgr], [image[::-1] for image in images_bgr])
    logits = np.mean([predict_logits(model, view, spec) for view in views], axis=0)
    np.save(kept, logits)
    return logits
