from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from digiscope_cloud.vision.inspect_command import CLASSIFIER
from digiscope_cloud.vision.occlusion import CELLS, Floats, heat_map
from digiscope_shared.imaging.phantoms import draw_phantom
from digiscope_shared.litert.classifier import LiteRtClassifier
from digiscope_shared.model_bundle import ModelBundle, load_bundle
from digiscope_shared.model_input import build_input


def test_only_what_the_model_looks_at_is_hot() -> None:
    """A model that sees one corner: the sum of the red channel there."""

    def corner(inputs: Floats) -> Floats:
        seen = inputs[:, :12, :12, 0].mean(axis=(1, 2))
        return np.stack([seen, 1 - seen], axis=1)

    picture = np.zeros((48, 48, 3), np.float32)
    picture[:12, :12] = 1
    picture[0, 0] = 0  # most of the rim, and so the cover, is 0
    heat = heat_map(corner, picture, 0)
    assert heat.shape == (CELLS, CELLS)
    assert heat[1, 1] == heat.max() > 0.3
    assert np.abs(heat[5:, 5:]).max() < 1e-6
    np.testing.assert_allclose(heat_map(corner, picture, 1), -heat, atol=1e-6)


class ShuffledClassifier(LiteRtClassifier):
    """The same network with its weights in another order (Adebayo et al. 2018, arXiv:1810.03292)."""

    def __init__(self, bundle: ModelBundle, seed: int) -> None:
        super().__init__(bundle)
        shuffled = shuffle_weights(bundle.model_bytes, seed)
        self._interpreter = Interpreter(model_content=shuffled)
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]


def shuffle_weights(model: bytes, seed: int) -> bytes:
    """Permute each large weight tensor in place, without parsing the file: its bytes are found as they are stored."""
    rng = np.random.default_rng(seed)
    changed = bytearray(model)
    interpreter = Interpreter(model_content=model, experimental_preserve_all_tensors=True)
    interpreter.allocate_tensors()
    for details in interpreter.get_tensor_details():
        if details["dtype"] in {np.float32, np.float16, np.int8} and np.prod(details["shape"]) > 400:
            try:
                weights = interpreter.get_tensor(details["index"])
            except ValueError:  # an activation: nothing is in it before the first run
                continue
            stored = weights.tobytes()
            at = model.find(stored)
            if at >= 0:
                changed[at : at + len(stored)] = rng.permutation(weights.ravel()).tobytes()
    assert bytes(changed) != model
    return bytes(changed)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_map_changes_when_the_weights_are_shuffled(seed: int) -> None:
    bundle = load_bundle(Path(CLASSIFIER))
    model_input = build_input(draw_phantom(3, hairs=0), bundle.input_spec)
    trained = LiteRtClassifier(bundle)
    likeliest = int(trained.probabilities(model_input[None])[0].argmax())
    before = heat_map(trained.probabilities, model_input, likeliest)
    after = heat_map(ShuffledClassifier(bundle, seed).probabilities, model_input, likeliest)
    assert np.abs(before).max() > 0
    correlation = np.corrcoef(before.ravel(), after.ravel() + 1e-9 * np.arange(after.size))[0, 1]
    assert abs(correlation) < 0.7
