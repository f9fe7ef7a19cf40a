"""Several trained networks that serve as one, or teach another."""

import os
from dataclasses import replace
from pathlib import Path

import keras
import msgspec
import numpy as np
import pytest
import yaml

from digiscope_cloud.learning.batches import TrainingSet
from digiscope_cloud.learning.config import Distillation, Network, Stage, TrainingConfig
from digiscope_cloud.learning.networks import efficientnet_lite, paper_cnn
from digiscope_cloud.learning.networks.registry import serving_model
from digiscope_cloud.learning.teacher import teacher_logits
from digiscope_cloud.learning.training import Observer
from digiscope_cloud.learning.training_run import train
from digiscope_shared.errors import SettingsError
from digiscope_shared.imaging.phantoms import draw_phantom
from digiscope_shared.input_spec import InputSpec

CONFIG = TrainingConfig(
    id="with-friend",
    network=Network(name="paper-cnn"),
    input=InputSpec(height=28, width=28),
    stages=(Stage(epochs=1, height=28, width=28, batch=7),),
    companions=("friend",),
)
DATA = TrainingSet(images_bgr=[draw_phantom(seed, width=40, height=30) for seed in range(7)], classes=np.arange(7))
OBSERVER = Observer(stepped=lambda *_: None, epoch_ended=lambda *_: {})
INPUTS = np.random.default_rng(0).normal(size=(2, 28, 28, 3)).astype(np.float32)


def friend(runs: Path, config: TrainingConfig) -> keras.Model:
    model = paper_cnn.build(7)
    (runs / "friend").mkdir()
    model.save(runs / "friend" / "model.keras")
    (runs / "friend" / "config.yaml").write_text(yaml.safe_dump(msgspec.to_builtins(config)))
    return model


def test_all_exits_of_all_networks_are_averaged() -> None:
    two_exits, other = efficientnet_lite.build(7, exits="both"), paper_cnn.build(7)
    inputs = np.zeros((1, 28, 28, 3), np.float32)
    late, early = two_exits(inputs)
    expected = (np.asarray(late) + np.asarray(early) + np.asarray(other(inputs))) / 3
    np.testing.assert_allclose(serving_model(two_exits, other)(inputs), expected, atol=1e-5)


def test_a_companion_serves_with_the_network_and_is_counted(tmp_path: Path) -> None:
    companion = friend(tmp_path, CONFIG)
    served = train(CONFIG, DATA, OBSERVER, tmp_path / "run", tmp_path)
    own = keras.models.load_model(tmp_path / "run" / "model.keras", compile=False)
    expected = (np.asarray(own(INPUTS)) + np.asarray(companion(INPUTS))) / 2
    np.testing.assert_allclose(served(INPUTS), expected, atol=1e-5)
    assert served.count_params() == 2 * companion.count_params()


def test_a_companion_that_is_not_trained_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="serves with friend: train that first"):
        train(CONFIG, DATA, OBSERVER, tmp_path / "run", tmp_path)


def test_a_companion_of_another_input_is_refused(tmp_path: Path) -> None:
    friend(tmp_path, replace(CONFIG, input=InputSpec(height=32, width=28)))
    with pytest.raises(SettingsError, match="its input is not with-friend's"):
        train(CONFIG, DATA, OBSERVER, tmp_path / "run", tmp_path)


def test_teachers_teach_the_mean_of_their_answers(tmp_path: Path) -> None:
    logits = []
    for number, name in enumerate(("one", "two")):
        (tmp_path / name).mkdir()
        paper_cnn.build(7).save(tmp_path / name / "model.keras")
        logits.append(np.full((7, 7), number, np.float32))
        np.save(tmp_path / name / "teacher_logits.npy", logits[-1])
    taught = teacher_logits(Distillation(teachers=("one", "two")), DATA.images_bgr, tmp_path)
    np.testing.assert_allclose(taught, 0.5)


def test_a_teacher_that_was_trained_anew_is_asked_anew(tmp_path: Path) -> None:
    model = friend(tmp_path, CONFIG)
    kept = tmp_path / "friend" / "teacher_logits.npy"
    np.save(kept, np.zeros((7, 7)))
    os.utime(kept, (0, 0))
    taught = teacher_logits(Distillation(teachers=("friend",)), DATA.images_bgr, tmp_path)
    assert not np.allclose(taught, 0)
    np.testing.assert_array_equal(taught, np.load(kept))
    assert taught.shape == (7, model.output_shape[1])


def test_a_teacher_that_is_not_trained_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="friend is to teach: train that first"):
        teacher_logits(Distillation(teachers=("friend",)), DATA.images_bgr, tmp_path)
