"""Batches, augmentation, and a run that is cut and goes on."""

import itertools
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from digiscope_cloud.learning.augmentation import augment
from digiscope_cloud.learning.batches import TrainingSet, batches_of_epoch, draw_epoch, drawn_shares
from digiscope_cloud.learning.checkpoint import Progress
from digiscope_cloud.learning.config import Augmentation, Network, Stage, TrainingConfig
from digiscope_cloud.learning.networks.registry import build_network
from digiscope_cloud.learning.training import Observer, Trainer
from digiscope_shared.errors import SettingsError
from digiscope_shared.imaging.phantoms import draw_phantom
from digiscope_shared.input_spec import InputSpec

CONFIG = TrainingConfig(
    id="tiny",
    network=Network(name="paper-cnn"),
    input=InputSpec(height=28, width=28),
    stages=(Stage(epochs=2, height=28, width=28, batch=7),),
    sampling_power=0.5,
    averaging=0.9,
    augmentation=Augmentation(rotation_deg=180, zoom=0.2, flips=True, brightness=0.1, cutout=0.3),
)
DATA = TrainingSet(
    images_bgr=[draw_phantom(seed, width=40, height=30) for seed in range(35)], classes=np.arange(35) % 7
)


def _trainer(folder: Path) -> tuple[Trainer, keras.Model]:
    keras.utils.set_random_seed(1)
    model, averaged = build_network(CONFIG.network, 7), build_network(CONFIG.network, 7)
    averaged.set_weights(model.get_weights())
    return Trainer(CONFIG, model, averaged, DATA, folder), averaged


def _observer(stop_at: int | None = None) -> Observer:
    def stepped(progress: Progress, steps: int, loss: float) -> None:
        if progress.total_steps == stop_at:
            raise KeyboardInterrupt

    return Observer(stepped=stepped, epoch_ended=lambda _progress, _model: {})


def _minutes() -> Any:
    minutes = itertools.count(0, 61)
    return lambda: float(next(minutes))


@pytest.mark.parametrize("stop_at", [1, 3, 5, 8])
def test_a_run_that_was_cut_ends_with_the_same_weights(tmp_path: Path, stop_at: int) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    whole, expected = _trainer(tmp_path / "whole")
    whole.run(_observer(), _minutes())
    first, _ = _trainer(tmp_path / "cut")
    with pytest.raises(KeyboardInterrupt):
        first.run(_observer(stop_at), _minutes())
    second, found = _trainer(tmp_path / "cut")
    progress = second.run(_observer(), _minutes())
    assert progress.total_steps == second.steps == 10
    assert [row["epoch"] for row in progress.history] == [1, 2]
    for ours, theirs in zip(found.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    trainer, _ = _trainer(tmp_path)
    trainer.run(_observer(), _minutes())
    with np.load(tmp_path / "checkpoint.npz") as stored:
        arrays = dict(stored)
    arrays["v0"] = np.zeros(3)
    np.savez(tmp_path / "checkpoint.npz", **arrays)
    with pytest.raises(SettingsError, match="another network"):
        _trainer(tmp_path)[0].run(_observer(), _minutes())


def test_the_same_seed_gives_the_same_batches_from_any_place() -> None:
    stage = CONFIG.stages[0]
    all_of_them = list(batches_of_epoch(DATA, CONFIG, stage, epoch=3))
    later = list(batches_of_epoch(DATA, CONFIG, stage, epoch=3, first=2))
    assert len(all_of_them) == 5
    for (inputs, rows), (same_inputs, same_rows) in zip(all_of_them[2:], later, strict=True):
        np.testing.assert_array_equal(rows, same_rows)
        np.testing.assert_array_equal(inputs, same_inputs)


def test_rare_classes_are_drawn_more_often_and_every_row_before_any_comes_again() -> None:
    classes = np.array([0] * 90 + [1] * 10)
    shares = drawn_shares(classes, 0.5, 2)
    np.testing.assert_allclose(shares, [0.75, 0.25])
    drawn = draw_epoch(classes, 0.5, np.random.default_rng(0))
    counts = np.bincount(drawn, minlength=100)
    assert len(drawn) == 100
    assert counts[:90].max() == 1
    assert set(counts[90:]) <= {2, 3}


def test_no_augmentation_changes_nothing() -> None:
    image = draw_phantom(2, width=64, height=48)
    np.testing.assert_array_equal(augment(image, Augmentation(), 48, 64, np.random.default_rng(0)), image)


def test_a_view_is_drawn_from_the_generator_alone() -> None:
    image = draw_phantom(2, width=64, height=48)
    views = [augment(image, CONFIG.augmentation, 24, 32, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert views[0].shape == (24, 32, 3)
    np.testing.assert_array_equal(views[0], views[1])
    assert (views[0] != views[2]).any()
