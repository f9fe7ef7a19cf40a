"""Five folds on phantoms: nobody judges a lesion that it has seen, and everybody is judged once."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import pytest

from digiscope_cloud.learning.batches import TrainingSet
from digiscope_cloud.learning.config import Network, Stage, TrainingConfig
from digiscope_cloud.learning.datasets.examples import Dataset, Example
from digiscope_cloud.learning.folds import judge_in_folds
from digiscope_cloud.learning.networks.registry import build_network
from digiscope_cloud.learning.part_data import LABELS
from digiscope_shared.errors import SettingsError
from digiscope_shared.imaging.phantoms import draw_phantom
from digiscope_shared.input_spec import InputSpec

CONFIG = TrainingConfig(
    id="tiny",
    network=Network(name="paper-cnn"),
    input=InputSpec(height=28, width=28),
    stages=(Stage(epochs=1, height=28, width=28, batch=7),),
)


def png(seed: int) -> bytes:
    """Draw a picture whose first pixel tells which it is."""
    image = draw_phantom(seed, width=40, height=30)
    image[0, 0] = (seed, 0, 0)
    return bytes(cv2.imencode(".png", image)[1])


# Ten lesions of each class, two pictures of each.
EXAMPLES = tuple(
    Example(image_id=f"i{number}", group=f"g{number // 2}", lesion_class=LABELS[number // 20]) for number in range(140)
)
DATASET = Dataset(name="phantoms", examples=EXAMPLES, read=lambda image_id: png(int(image_id[1:])))


def test_each_fold_trains_on_the_lesions_of_the_others(tmp_path: Path) -> None:
    seen: list[set[str]] = []

    def train(config: TrainingConfig, training: TrainingSet, run_dir: Path) -> keras.Model:
        seen.append({EXAMPLES[int(image[0, 0, 0])].group for image in training.images_bgr})
        assert run_dir == tmp_path / f"fold-{len(seen) - 1}"
        return build_network(config.network, len(LABELS))

    found = judge_in_folds(CONFIG, DATASET, tmp_path, train)
    everything = {example.group for example in EXAMPLES}
    held: list[str] = [group for groups in seen for group in everything - groups]
    assert sorted(held) == sorted(everything)
    assert len(found.by_fold) == 5
    assert 0 <= found.pooled["balanced_accuracy"].low <= found.pooled["balanced_accuracy"].value
    assert np.isfinite([fold["balanced_accuracy"] for fold in found.by_fold]).all()


def test_a_network_that_has_seen_the_lesions_is_refused(tmp_path: Path) -> None:
    def never(*_: Any) -> keras.Model:
        raise AssertionError

    config = replace(CONFIG, network=Network(name="efficientnet-lite0", start_from="cloud-classifier"))
    with pytest.raises(SettingsError, match="saw all folds"):
        judge_in_folds(config, DATASET, tmp_path, never)
