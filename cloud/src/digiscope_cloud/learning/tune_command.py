"""`digiscope-cloud tune`: the loop of the paper's Figure 3."""

from pathlib import Path

import click
from rich.console import Console

from digiscope_cloud.learning.data_option import data_option
from digiscope_cloud.learning.train_command import CONFIGS
from digiscope_shared import logs, settings_file
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
    # TensorFlow takes seconds.
    from digiscope_cloud.learning.tune_bootstrap import tune_on_ham10000  # noqa: PLC0415
    from digiscope_cloud.learning.tune_table import rounds_table  # noqa: PLC0415
    from digiscope_cloud.learning.tuning import TuneSettings, good_enough  # noqa: PLC0415

    try:
        settings = settings_file.load(TuneSettings, config)
        study = tune_on_ham10000(settings, data, runs)
    except KeyboardInterrupt:
        click.echo("stopped; the same command goes on from the journal", err=True)
        raise SystemExit(_INTERRUPTED) from None
    except DigiScopeError as error:
        raise click.ClickException(str(error)) from error
    reached = good_enough(study, settings)
    Console().print(rounds_table(study, settings))
    ending = "good enough" if reached else "out of trials: widen the search, or lower good_enough"
    click.echo(f"{ending}; each round's analysis.json lies in {runs}\n{DISCLAIMER}")
    raise SystemExit(0 if reached else 1)
