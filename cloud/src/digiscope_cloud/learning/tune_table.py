"""A search's rounds as a table, best first, each figure beside its target."""

import optuna
from optuna.trial import FrozenTrial, TrialState
from rich.box import SIMPLE
from rich.table import Table

from digiscope_cloud.learning.tuning import TARGET, TuneSettings


def rounds_table(study: optuna.Study, settings: TuneSettings) -> Table:
    """Return a row a finished round; what reached its target is green, what was pruned has no figures."""
    rounds = study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))
    figures = list(dict.fromkeys((TARGET, *settings.good_enough)))
    table = Table(title=f"{len(rounds)} rounds of at most {settings.trials}", box=SIMPLE, padding=0, pad_edge=False)
    for heading in ("round", *(_heading(name, settings) for name in figures), *settings.search):
        # Spaces let a narrow terminal break the line.
        table.add_column(heading.replace("_", " "), justify="right", overflow="fold")
    for trial in sorted(rounds, key=lambda each: -each.user_attrs.get(TARGET, 0.0)):
        shown = [_figure(trial, name, settings) for name in figures]
        table.add_row(str(trial.number), *shown, *(f"{trial.params[name]:.2g}" for name in settings.search))
    return table


def _heading(name: str, settings: TuneSettings) -> str:
    target = settings.good_enough.get(name)
    return name if target is None else f"{name} (target {target:g})"


def _figure(trial: FrozenTrial, name: str, settings: TuneSettings) -> str:
    if trial.state is TrialState.PRUNED:
        return "pruned"
    value = trial.user_attrs.get(name)
    if value is None:
        return ""
    reached = value >= settings.good_enough.get(name, float("inf"))
    return f"[green]{value:.3f}[/green]" if reached else f"{value:.3f}"
