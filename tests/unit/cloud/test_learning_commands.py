"""The commands' help, and what they say where something is missing."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from digiscope_cloud.__main__ import main
from digiscope_cloud.learning.config import TrainingConfig
from digiscope_cloud.learning.train_command import CONFIGS
from digiscope_shared import settings_file


@pytest.mark.parametrize("command", ["train", "evaluate", "audit", "report", "tune", "folds"])
def test_help_has_an_example(command: str) -> None:
    result = CliRunner().invoke(main, [command, "--help"])
    assert result.exit_code == 0
    assert "Example" in result.output
    assert f"digiscope-cloud {command}" in result.output


COMMITTED = {
    path.stem: settings_file.load(TrainingConfig, path) for path in CONFIGS.glob("*.yaml") if path.stem != "tune"
}


@pytest.mark.parametrize("config", COMMITTED.values(), ids=COMMITTED)
def test_committed_configs_are_valid_and_what_they_build_on_is_committed(config: TrainingConfig) -> None:
    assert config.epochs > 0
    assert config.intended_use
    teachers = config.distillation.teachers if config.distillation else ()
    needed = {*config.companions, *teachers, config.network.start_from} - {"", "imagenet"}
    assert needed <= {each.id for each in COMMITTED.values()}


def test_report_says_which_command_makes_its_run(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["report", "--run", str(tmp_path)])
    assert result.exit_code == 1
    assert "train --protocol paper" in result.output


def test_train_says_what_data_it_expected(tmp_path: Path) -> None:
    arguments = ["train", "--data", str(tmp_path / "nowhere"), "--runs", str(tmp_path / "runs")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert "HAM10000_metadata.csv" in result.output
