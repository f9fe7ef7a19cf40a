"""Where the data set is: `--data`, else DIGISCOPE_DATA, else beside the project."""

from pathlib import Path

import click

data_option = click.option(
    "--data",
    type=click.Path(path_type=Path),
    envvar="DIGISCOPE_DATA",
    default=Path("../shared/data/ham10000"),
    show_default=True,
    help="Folder with HAM10000_metadata.csv and the images.",
)
