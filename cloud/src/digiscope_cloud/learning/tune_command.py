"""`digiscope-cloud tune`: the loop of the paper's Figure 3."""

from pathlib import Path

import click

from digiscope_cloud.learning.data_option import data_option
from digiscope_cloud.learning.train_command import CONFIGS
from digiscope_shared import logs
from digiscope_shared.errors import DigiScopeError
from digiscope_shared.lesions import DISCLAIMER

_INTERRUPTED = 130


@click.command("tune")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=CONFIGS / "tune.yaml",
    help="What is varied and when it is good enough.",
)
@data_option
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs/tune"), show_default=True)
def tune(config: Path, data: Path, runs: Path) -> None:
    """Train, evaluate, analyse, choose anew, until good enough; interrupted, it goes on from its journal.

    Exit code 0 where the targets were reached, 1 where the trials ran out first.

    \b
    Examples:
      digiscope-cloud tune
      tensorboard --logdir runs/tune
    """
    logs.configure()
    from digiscope_cloud.learning.tune_bootstrap import tune_on_ham10000  # noqa: PLC0415, TensorFlow takes seconds

    try:
        best, reached = tune_on_ham10000(config, data, runs)
    except KeyboardInterrupt:
        click.echo("stopped; the same command goes on from the journal", err=True)
        raise SystemExit(_INTERRUPTED) from None
    except DigiScopeError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{'good enough' if reached else 'out of trials'}: {best}\n{DISCLAIMER}")
    raise SystemExit(0 if reached else 1)
