"""Several views of one image inside the model: a lesion has no upright, so its mirror images are as good as it."""

from typing import Any

import keras
from keras import ops

# Axes of N × height × width × 3 that each view turns over.
_TURNED = ((), (2,), (1,), (1, 2))


def with_views(model: keras.Model, views: int) -> keras.Model:
    """Return a model whose logits are the mean over the first so many views; it takes so many times as long."""
    if views == 1:
        return model
    inputs = keras.Input(model.inputs[0].shape[1:])
    logits = [model(_turned(inputs, axes)) for axes in _TURNED[:views]]
    return keras.Model(inputs, keras.layers.Average()(logits))


def _turned(inputs: Any, axes: tuple[int, ...]) -> Any:
    return ops.flip(inputs, axis=axes) if axes else inputs
