"""The networks: their sizes, and ImageNet's weights in them."""

from pathlib import Path

import numpy as np
import pytest

from digiscope_cloud.learning.config import Network
from digiscope_cloud.learning.networks import efficientnet_lite, paper_cnn
from digiscope_cloud.learning.networks.efficientnet_lite import Exits
from digiscope_cloud.learning.networks.registry import start_weights
from digiscope_cloud.learning.torch_state_dict import read_state_dict
from digiscope_shared.errors import SettingsError


def test_the_papers_network_has_its_parameters() -> None:
    assert paper_cnn.build().count_params() == 182_663


@pytest.mark.parametrize(("exits", "parameters"), [("early", 402_119), ("late", 3_421_991)])
def test_the_exits_have_their_parameters(exits: Exits, parameters: int) -> None:
    assert efficientnet_lite.build(7, exits=exits).count_params() == parameters


def test_every_weight_of_imagenet_but_its_classifier_finds_its_layer() -> None:
    path = efficientnet_lite.imagenet_weights()
    model, state = efficientnet_lite.build(7), read_state_dict(path)
    efficientnet_lite.load_imagenet(model, path)
    weights = {name.removesuffix(".weight") for name in state if name.endswith(".weight")}
    layers = {layer.name for layer in model.layers if layer.weights}
    assert weights - layers == {"_fc"}
    assert layers - weights == {"late_logits"}
    scale, _, _, variance = model.get_layer("_bn1").get_weights()
    np.testing.assert_array_equal(scale, state["_bn1.weight"])
    np.testing.assert_array_equal(variance, state["_bn1.running_var"])


def test_a_network_without_imagenet_weights_says_so() -> None:
    with pytest.raises(SettingsError, match="paper-cnn has no ImageNet weights"):
        start_weights(paper_cnn.build(), Network(name="paper-cnn", start_from="imagenet"), Path())
