"""Network names of the configs, and what builds them."""

from pathlib import Path
from typing import Final

import keras

from digiscope_cloud.learning.config import Network
from digiscope_cloud.learning.networks import efficientnet_lite, paper_cnn
from digiscope_shared.errors import SettingsError

IMAGENET: Final = "imagenet"


def build_network(network: Network, classes: int) -> keras.Model:
    """Return the network with random weights, drawn from Keras's global seed."""
    match network.name:
        case "paper-cnn":
            return paper_cnn.build(classes)
        case "efficientnet-lite0":
            return efficientnet_lite.build(
                classes, exits=network.exits, dropout=network.dropout, drop_path=network.drop_path
            )


def serving_model(model: keras.Model, *companions: keras.Model) -> keras.Model:
    """Return what serves: the mean of all exits' logits, which errs less than each; weights are shared."""
    theirs = [each(model.inputs[0]) for each in companions]
    outputs = [*model.outputs, *keras.tree.flatten(theirs)]
    return model if len(outputs) == 1 else keras.Model(model.inputs, keras.layers.Average()(outputs))


def start_weights(model: keras.Model, network: Network, runs: Path) -> None:
    """Load what the config says to start from: nothing, ImageNet, or a finished run's weights.

    Raises:
        SettingsError: there are no ImageNet weights for that network.
    """
    if network.start_from == IMAGENET:
        if network.name != "efficientnet-lite0":
            raise SettingsError(f"{network.name} has no ImageNet weights: leave start_from empty")
        efficientnet_lite.load_imagenet(model, efficientnet_lite.imagenet_weights())
    elif network.start_from:
        _copy_by_name(model, keras.models.load_model(runs / network.start_from / "model.keras", compile=False))


def freeze(model: keras.Model, network: Network) -> None:
    """Take what the config freezes out of the training."""
    if network.frozen_blocks:
        efficientnet_lite.freeze_blocks(model, network.frozen_blocks)


def _copy_by_name(model: keras.Model, source: keras.Model) -> None:
    weights_of = {layer.name: layer.get_weights() for layer in source.layers}
    for layer in model.layers:
        weights = weights_of.get(layer.name)
        if weights and [w.shape for w in weights] == [w.shape for w in layer.get_weights()]:
            layer.set_weights(weights)
