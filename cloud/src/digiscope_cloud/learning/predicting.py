"""Logits of a Keras model, in batches of one size."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from digiscope_cloud.learning.datasets.examples import ImagesBgr
from digiscope_shared.input_spec import InputSpec
from digiscope_shared.model_input import build_input


def predict_logits(model: keras.Model, images_bgr: Sequence[ImagesBgr], spec: InputSpec, *, batch: int = 64) -> Any:
    """Return rows × classes; the last batch is padded so that one graph serves all."""
    rows = []
    for start in range(0, len(images_bgr), batch):
        inputs = np.stack([build_input(image, spec) for image in images_bgr[start : start + batch]])
        padded = np.concatenate([inputs, np.zeros((batch - len(inputs), *inputs.shape[1:]), np.float32)])
        rows.append(model.predict_on_batch(padded)[: len(inputs)])
    return np.concatenate(rows)
