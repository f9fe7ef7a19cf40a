"""A small U-Net (Ronneberger et al. 2015, arXiv:1505.04597) with residual blocks; its context is a second output."""

from typing import Any, TypeAlias

import keras
from keras import layers

KerasTensor: TypeAlias = Any


def build(height: int, width: int, channels: tuple[int, int, int, int]) -> keras.Model:
    """Return a model from height × width × 3 in 0..1 to the mask's logits (height × width × 1) and an embedding.

    The embedding is what each level of the encoder sees on average: what tells a lesion from a page of text.
    """
    inputs = keras.Input((height, width, 3))
    x = _conv(layers.Rescaling(4.0, offset=-2.0)(inputs), channels[0], stride=2)
    levels = [_residual(x)]
    for depth, count in enumerate(channels[1:]):
        x = _conv(levels[-1], count, stride=2)
        for _ in range(1 + (depth > 0)):
            x = _residual(x)
        levels.append(x)
    deepest = levels.pop()
    embedding = layers.Concatenate(name="embedding")(
        [layers.GlobalAveragePooling2D()(x) for x in (*levels[1:], deepest)]
    )
    x = _with_context(deepest)
    for level in reversed(levels):
        x = layers.UpSampling2D(interpolation="bilinear")(_conv(x, level.shape[-1], kernel=1))
        x = _residual(_conv(layers.Concatenate()([x, level]), level.shape[-1]))
    x = layers.UpSampling2D(interpolation="bilinear")(_conv(x, 8))
    x = _conv(layers.Concatenate()([x, inputs]), 8)
    return keras.Model(inputs, [layers.Conv2D(1, 3, padding="same", name="mask")(x), embedding])


def _with_context(x: KerasTensor) -> KerasTensor:
    count = x.shape[-1]
    scene = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Conv2D(count, 1, activation="sigmoid")(scene)
    return _residual(layers.Multiply()([x, gate]))


def _residual(x: KerasTensor) -> KerasTensor:
    inner = _conv(x, x.shape[-1])
    inner = layers.BatchNormalization()(layers.Conv2D(x.shape[-1], 3, padding="same", use_bias=False)(inner))
    return layers.ReLU()(layers.Add()([x, inner]))


def _conv(x: KerasTensor, count: int, *, kernel: int = 3, stride: int = 1) -> KerasTensor:
    x = layers.Conv2D(count, kernel, strides=stride, padding="same", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))
