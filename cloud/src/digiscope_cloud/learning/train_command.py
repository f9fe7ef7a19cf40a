"""`digiscope-cloud train`: one command from the published data to a bundle."""

from pathlib import Path
from typing import Final

import click
import structlog

from digiscope_cloud.learning.data_option import data_option
from digiscope_shared import logs
from digiscope_shared.errors import DigiScopeError
from digiscope_shared.lesions import DISCLAIMER

_log = structlog.get_logger()
CONFIGS: Final = Path(__file__).parent / "configs"
INTERRUPTED: Final = 130


@click.command()
@click.option("--protocol", type=click.Choice(["grouped-v1", "paper"]), default="grouped-v1", show_default=True)
@click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=CONFIGS / "paper-cnn.yaml",
    help="A committed YAML file, or the name of one that comes with DigiScope.",
)
@data_option
@click.option(
    "--labels",
    type=click.Path(path_type=Path),
    help="For images of your own: CSV with image_id, dx, and lesion_id if several images show one lesion.",
)
@click.option(
    "--runs",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Checkpoints, histories and TensorBoard logs.",
)
@click.option("--bundle", type=click.Path(path_type=Path), help="Where the bundle goes; default RUNS/ID/bundle.")
@click.option("--augmented", is_flag=True, help="With --protocol paper: train on the views of the paper's Figure 2.")
def train(
    *,
    protocol: str,
    config_path: Path,
    data: Path,
    labels: Path | None,
    runs: Path,
    bundle: Path | None,
    augmented: bool,
) -> None:
    """Train, calibrate, measure and pack a model; interrupted, it goes on from its checkpoint.

    \b
    Examples:
      digiscope-cloud train --config cloud
      digiscope-cloud train --config edge --bundle edge-bundle
      digiscope-cloud train --protocol paper
      digiscope-cloud train --protocol paper --augmented
    """
    if augmented and protocol != "paper":
        raise click.UsageError("--augmented goes with --protocol paper; a config says what it augments")
    logs.configure()
    from digiscope_cloud.learning.bootstrap import train_grouped, train_paper  # noqa: PLC0415, TensorFlow takes seconds

    try:
        folder = (
            train_paper(data, runs, bundle, augmented=augmented)
            if protocol == "paper"
            else train_grouped(config_file(config_path), data, labels, runs, bundle)
        )
    except KeyboardInterrupt:
        click.echo("stopped; the same command goes on from the last checkpoint", err=True)
        raise SystemExit(INTERRUPTED) from None
    except DigiScopeError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{folder}\n{DISCLAIMER}")


def config_file(path: Path) -> Path:
    """Return the file itself, or the one of that name that comes with DigiScope."""
    return path if path.is_file() else CONFIGS / f"{path.stem}.yaml"
