"""`digiscope-cloud folds`: how far figures move with the lesions that happen to be held back."""

import json
from pathlib import Path
from typing import Any, Final

import click
import msgspec
import numpy as np

from digiscope_cloud.learning.data_option import data_option
from digiscope_cloud.learning.train_command import INTERRUPTED, config_file
from digiscope_shared import logs
from digiscope_shared.errors import DigiScopeError
from digiscope_shared.lesions import DISCLAIMER

_SHOWN: Final = (
    "balanced_accuracy",
    "accuracy",
    "macro_auroc",
    "malignant.auroc",
    "malignant.specificity_at_sensitivity_95",
    "melanoma.auroc",
)


@click.command()
@click.option("--config", "config_path", type=click.Path(path_type=Path), default=Path("edge-folds"), show_default=True)
@data_option
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def folds(*, config_path: Path, data: Path, runs: Path, as_json: bool) -> None:
    """Train five networks, each on four fifths of the lesions, and judge each on the rest.

    Interrupted, it goes on from its last checkpoint. Exit code 0 when measured, 1 for wrong data or config.

    \b
    Examples:
      digiscope-cloud folds
      digiscope-cloud folds --config my-folds.yaml --json
    """
    logs.configure()
    from digiscope_cloud.learning.bootstrap import run_folds  # noqa: PLC0415, TensorFlow takes seconds

    try:
        found = run_folds(config_file(config_path), data, runs)
    except KeyboardInterrupt:
        click.echo("stopped; the same command goes on from the last checkpoint", err=True)
        raise SystemExit(INTERRUPTED) from None
    except DigiScopeError as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps(msgspec.to_builtins(found) | {"disclaimer": DISCLAIMER}) if as_json else _table(found))


def _table(found: Any) -> str:
    lines = [f"{'five folds over lesions':42s}   all, with 95 % interval      folds: mean, least, most"]
    for name in _SHOWN:
        pooled, each = found.pooled[name], [fold[name] for fold in found.by_fold]
        interval = f"{pooled.value:7.4f}  ({pooled.low:.4f} to {pooled.high:.4f})"
        lines.append(f"{name:42s} {interval}   {np.mean(each):.4f}  {min(each):.4f}  {max(each):.4f}")
    if found.unreadable:
        lines.append(f"left out as unreadable: {len(found.unreadable)}: {', '.join(found.unreadable[:10])}")
    return "\n".join([*lines, DISCLAIMER])
