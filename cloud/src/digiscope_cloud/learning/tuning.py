"""The paper's loop: train, evaluate, stop when good enough, else analyse and choose new hyperparameters."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import optuna
import structlog
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from digiscope_cloud.learning.config import TrainingConfig

_log = structlog.get_logger()
_LOGARITHMIC: Final = frozenset({"learning_rate", "weight_decay"})
TARGET: Final = "val_balanced_accuracy"
_STUDY: Final = "digiscope"


@dataclass(frozen=True, slots=True, kw_only=True)
class TuneSettings:
    """What is varied, how long, and when it is good enough."""

    base: str
    trials: int
    epochs: int
    good_enough: Mapping[str, float]
    search: Mapping[str, tuple[float, float]]
    seed: int = 1


@dataclass(slots=True, kw_only=True)
class Round:
    """One trial as its trainer sees it: `report` after each epoch, which raises TrialPruned where it lags behind."""

    number: int
    config: TrainingConfig
    report: Callable[[int, float], None]
    figures: dict[str, float] = field(default_factory=dict)


def tune(
    settings: TuneSettings, base: TrainingConfig, journal: Path, run_round: Callable[[Round], dict[str, float]]
) -> optuna.Study:
    """Search until good enough or out of trials; the journal lets an interrupted search go on."""
    study = open_study(settings, journal)
    _take_up_interrupted(study)
    while (left := settings.trials - _finished(study)) > 0 and not good_enough(study, settings):
        _log.info("round_begins", left=left)
        study.optimize(lambda trial: _one_round(trial, settings, base, run_round), n_trials=1)
    return study


def open_study(settings: TuneSettings, journal: Path) -> optuna.Study:
    journal.parent.mkdir(parents=True, exist_ok=True)
    backend = JournalFileBackend(str(journal), lock_obj=JournalFileOpenLock(str(journal)))
    return optuna.create_study(
        study_name=_STUDY,
        storage=JournalStorage(backend),
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=settings.seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=3, n_warmup_steps=2),
        load_if_exists=True,
    )


def good_enough(study: optuna.Study, settings: TuneSettings) -> bool:
    """Return whether one trial reached every target."""
    return any(
        all(trial.user_attrs.get(name, 0.0) >= target for name, target in settings.good_enough.items())
        for trial in study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    )


def varied(settings: TuneSettings, base: TrainingConfig, values: Mapping[str, float], number: int) -> TrainingConfig:
    """Return the base config with these values, in fewer epochs, under the trial's own id."""
    stages = tuple(dataclasses.replace(stage, epochs=settings.epochs) for stage in base.stages[:1])
    changes: dict[str, Any] = {**values, "id": f"trial-{number:03d}", "stages": stages}
    return dataclasses.replace(base, **changes)


def _one_round(
    trial: optuna.Trial, settings: TuneSettings, base: TrainingConfig, run_round: Callable[[Round], dict[str, float]]
) -> float:
    values = {
        name: trial.suggest_float(name, low, high, log=name in _LOGARITHMIC)
        for name, (low, high) in settings.search.items()
    }

    def report(epoch: int, value: float) -> None:
        trial.report(value, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned

    config = varied(settings, base, values, trial.number)
    figures = run_round(Round(number=trial.number, config=config, report=report))
    for name, value in figures.items():
        trial.set_user_attr(name, value)
    return figures[TARGET]


def _take_up_interrupted(study: optuna.Study) -> None:
    """Give a trial that was cut another go, with the same values."""
    for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        if trial.params:
            study.enqueue_trial(trial.params, skip_if_exists=True)


def _finished(study: optuna.Study) -> int:
    return sum(trial.state.is_finished() and trial.state is not optuna.trial.TrialState.FAIL for trial in study.trials)
