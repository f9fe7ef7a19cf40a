"""Where the data set is: `--data`, else DIGISCOPE_DATA, else beside the project."""

from pathlib import Path

import click

data_option = click.option(
    "--data",
    type=click.Path(path_type=Path),
    envvar="DIGISCOPE_DATA",
    default=Path("../shared/data/ham10000"),
    show_default=True,
    help="HAM10000's folder, hmnist_28_28_RGB.csv, dermamnist.npz, or with --labels any folder or zip file of images.",
)
