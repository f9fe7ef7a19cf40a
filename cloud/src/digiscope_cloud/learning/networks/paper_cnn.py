"""The paper's Table 2: the network that the first model and the reproduction share."""

from typing import Final

import keras
from keras import layers

PARAMETERS: Final = 182_663
INPUT_PX: Final = 28


def build(classes: int = 7) -> keras.Model:
    """Return the model from 28 × 28 × 3 to logits; Table 2's softmax is applied outside, where the temperature is."""
    model = keras.Sequential(
        [
            keras.Input((INPUT_PX, INPUT_PX, 3)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPool2D(2),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPool2D(2, padding="same"),
            layers.Flatten(),
            layers.Dense(64, activation="relu", name="features"),
            layers.Dense(32, activation="relu"),
            layers.Dense(classes, name="logits"),
        ]
    )
    assert classes != 7 or model.count_params() == PARAMETERS, model.count_params()  # noqa: PLR2004, the paper's seven
    return model
