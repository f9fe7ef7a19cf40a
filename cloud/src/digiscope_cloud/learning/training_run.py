"""One run: a config and images in; a folder with the trained model and its history out."""

import json
from pathlib import Path

import keras

from digiscope_cloud.learning.batches import TrainingSet
from digiscope_cloud.learning.config import TrainingConfig
from digiscope_cloud.learning.networks.registry import build_network, freeze, serving_model, start_weights
from digiscope_cloud.learning.part_data import LABELS
from digiscope_cloud.learning.training import Observer, Trainer
from digiscope_shared import settings_file
from digiscope_shared.errors import SettingsError


def train(config: TrainingConfig, training: TrainingSet, observer: Observer, run_dir: Path, runs: Path) -> keras.Model:
    """Train, or go on; return what serves, with averaged weights; `model.keras` has all but the companions.

    Raises:
        SettingsError: a companion isn't trained yet, or looks at another input.
    """
    companions = [_companion(runs / each, config) for each in config.companions]
    run_dir.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(config.seed)
    model = build_network(config.network, len(LABELS))
    start_weights(model, config.network, runs)
    freeze(model, config.network)
    averaged = build_network(config.network, len(LABELS))
    averaged.set_weights(model.get_weights())
    progress = Trainer(config, model, averaged, training, run_dir).run(observer)
    (run_dir / "history.json").write_text(json.dumps(progress.history, indent=1), encoding="utf-8")
    averaged.save(run_dir / "model.keras")
    return serving_model(averaged, *companions)


def _companion(run_dir: Path, config: TrainingConfig) -> keras.Model:
    model, theirs = run_dir / "model.keras", run_dir / "config.yaml"
    if not model.is_file():
        raise SettingsError(f"{config.id} serves with {run_dir.name}: train that first")
    if settings_file.load(TrainingConfig, theirs).input != config.input:
        raise SettingsError(f"{theirs}: its input is not {config.id}'s")
    return keras.models.load_model(model, compile=False)
