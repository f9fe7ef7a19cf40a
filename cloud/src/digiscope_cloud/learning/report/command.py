"""`digiscope-cloud report`: the paper's artefacts beside ours, and the audit."""

from importlib.resources import as_file, files
from pathlib import Path

import click

from digiscope_cloud.learning.data_option import data_option
from digiscope_cloud.learning.datasets.ham10000 import open_ham10000
from digiscope_cloud.learning.paper_record import load_record
from digiscope_cloud.learning.report.page import write_report
from digiscope_shared.errors import DigiScopeError
from digiscope_shared.lesions import DISCLAIMER
from digiscope_shared.model_bundle import load_bundle


@click.command("report")
@click.option(
    "--run",
    type=click.Path(path_type=Path),
    default=Path("runs/paper-reproduction"),
    show_default=True,
    help="The run of `train --protocol paper`.",
)
@data_option
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/report"), show_default=True)
def report(run: Path, data: Path, out: Path) -> None:
    """Write report.html and its PNGs from a finished paper run.

    \b
    Examples:
      digiscope-cloud train --protocol paper && digiscope-cloud report
      digiscope-cloud report --run runs/paper-augmented --out runs/report-augmented
    """
    if not (run / "record.json").is_file():
        raise click.ClickException(f"{run} has no finished run: digiscope-cloud train --protocol paper makes it")
    try:
        with as_file(files("digiscope_cloud") / "bundles" / "classifier") as classifier:
            page = write_report(load_record(run), open_ham10000(data), [load_bundle(classifier)], out)
    except DigiScopeError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{page}\n{DISCLAIMER}")
