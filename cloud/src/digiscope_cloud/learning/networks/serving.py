"""What is added to a trained network before it serves, inside the model, so that edge and worker know nothing of it."""

from typing import Any

import keras
from keras import ops

# A lesion has no upright: its mirror images are as good as it.
# Axes of N × height × width × 3 that each view turns over.
_TURNED = ((), (2,), (1,), (1, 2))


def with_shift(model: keras.Model, shift: Any) -> keras.Model:
    """Return a model that adds one number to each class's logit: it says rare things less readily, or more."""
    inputs = keras.Input(model.inputs[0].shape[1:])
    return keras.Model(inputs, keras.layers.Rescaling(1.0, offset=[float(value) for value in shift])(model(inputs)))


def with_views(model: keras.Model, views: int) -> keras.Model:
    """Return a model whose logits are the mean over the first so many views; it takes so many times as long."""
    if views == 1:
        return model
    inputs = keras.Input(model.inputs[0].shape[1:])
    logits = [model(_turned(inputs, axes)) for axes in _TURNED[:views]]
    return keras.Model(inputs, keras.layers.Average()(logits))


def _turned(inputs: Any, axes: tuple[int, ...]) -> Any:
    return ops.flip(inputs, axis=axes) if axes else inputs
