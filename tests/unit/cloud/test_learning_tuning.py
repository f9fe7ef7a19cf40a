"""The search: stops when good enough, survives a cut, prunes what lags behind."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from digiscope_cloud.learning.config import TrainingConfig
from digiscope_cloud.learning.round_analysis import analyse
from digiscope_cloud.learning.train_command import CONFIGS
from digiscope_cloud.learning.tune_table import rounds_table
from digiscope_cloud.learning.tuning import TARGET, Round, TuneSettings, open_study, tune, varied
from digiscope_shared import settings_file
from digiscope_shared.lesions import LesionClass

BASE = settings_file.load(TrainingConfig, CONFIGS / "paper-cnn.yaml")
SETTINGS = TuneSettings(
    base="paper-cnn", trials=6, epochs=3, good_enough={TARGET: 0.9}, search={"learning_rate": (1e-4, 1e-2)}
)


def test_it_stops_when_good_enough(tmp_path: Path) -> None:
    study = tune(SETTINGS, BASE, tmp_path / "journal.log", lambda a_round: {TARGET: 0.5 + 0.2 * a_round.number})
    assert len(study.trials) == 3


def test_it_stops_when_out_of_trials(tmp_path: Path) -> None:
    study = tune(SETTINGS, BASE, tmp_path / "journal.log", lambda _: {TARGET: 0.5})
    assert len(study.trials) == SETTINGS.trials


def test_an_interrupted_trial_is_tried_again_with_its_values(tmp_path: Path) -> None:
    tried: list[float] = []

    def cut(a_round: Round) -> dict[str, float]:
        tried.append(a_round.config.learning_rate)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(SETTINGS, BASE, tmp_path / "journal.log", cut)

    def fine(a_round: Round) -> dict[str, float]:
        tried.append(a_round.config.learning_rate)
        return {TARGET: 1.0}

    tune(SETTINGS, BASE, tmp_path / "journal.log", fine)
    assert tried[0] == tried[1]
    assert len(tried) == 2


def test_what_lags_behind_is_pruned(tmp_path: Path) -> None:
    def lagging(a_round: Round) -> dict[str, float]:
        value = 0.8 if a_round.number < 3 else 0.1
        for epoch in range(1, 5):
            a_round.report(epoch, value)
        return {TARGET: value}

    study = tune(SETTINGS, BASE, tmp_path / "journal.log", lagging)
    assert [trial.state.name for trial in study.trials[3:]] == ["PRUNED"] * 3


def test_the_journal_is_read_again(tmp_path: Path) -> None:
    tune(SETTINGS, BASE, tmp_path / "journal.log", lambda _: {TARGET: 0.95})
    assert open_study(SETTINGS, tmp_path / "journal.log").best_value == 0.95


def test_a_trial_is_a_config_of_its_own() -> None:
    config = varied(SETTINGS, BASE, {"learning_rate": 0.002}, 7)
    assert (config.id, config.learning_rate, config.epochs) == ("trial-007", 0.002, 3)
    assert config.network == BASE.network


def test_the_committed_search_is_valid() -> None:
    settings = settings_file.load(TuneSettings, CONFIGS / "tune.yaml")
    assert set(settings.search) <= set(TrainingConfig.__slots__)


def test_the_analysis_names_confusions_and_the_surest_mistakes() -> None:
    labels = tuple(LesionClass)
    classes = np.array([4, 4, 5])
    logits = np.eye(7)[[5, 4, 4]] * np.array([[9.0], [3.0], [2.0]])
    found = analyse(classes, logits, ["a", "b", "c"], labels)
    assert found["confusions"] == {"mel taken for nv": 1, "nv taken for mel": 1}
    assert [image["image_id"] for image in found["worst_images"]] == ["a", "c"]
    assert found["recall"]["mel"] == 0.5


def test_the_table_shows_the_best_round_first_and_what_reached_its_target(tmp_path: Path) -> None:
    settings = dataclasses.replace(SETTINGS, good_enough={TARGET: 0.9, "val_macro_auroc": 0.8}, trials=5)

    def a_round(given: Round) -> dict[str, float]:
        if given.number >= 3:
            for epoch in range(1, 5):
                given.report(epoch, 0.1)
        for epoch in range(1, 5):
            given.report(epoch, 0.5 + given.number / 10)
        return {TARGET: 0.5 + given.number / 10, "val_macro_auroc": 0.85}

    table = rounds_table(tune(settings, BASE, tmp_path / "journal.log", a_round), settings)
    rows = list(zip(*(list(column.cells) for column in table.columns), strict=True))
    assert [row[0] for row in rows[:3]] == ["2", "1", "0"]
    assert rows[0][1:3] == ("0.700", "[green]0.850[/green]")
    assert {row[1] for row in rows[3:]} == {"pruned"}
    assert "target 0.9" in str(table.columns[1].header)
