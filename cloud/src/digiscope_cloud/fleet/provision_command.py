"""`digiscope-cloud provision`: what demo, tests and a real project share."""

import dataclasses
import json
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from digiscope_cloud.fleet.provisioning import Provisioned
from digiscope_cloud.fleet.provisioning import provision as run_provisioning
from digiscope_cloud.settings import CloudSettings
from digiscope_shared import settings_file
from digiscope_shared.errors import SettingsError, TransientError

EXAMPLES = """
\b
Examples:
  digiscope-cloud provision --settings deploy/cloud.yaml
  PUBSUB_EMULATOR_HOST=localhost:8085 STORAGE_EMULATOR_HOST=http://localhost:4443 \\
    digiscope-cloud provision --settings deploy/cloud.yaml --json

Exit codes: 0 done, 2 bad settings, 3 the service can't be reached or refused.
"""


@click.command(epilog=EXAMPLES)
@click.option("--settings", "settings_path", type=click.Path(path_type=Path), required=True, help="Project and bucket.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def provision(settings_path: Path, *, as_json: bool) -> None:
    """Create topics, subscriptions, dead letters and the bucket; what is there stays."""
    try:
        provisioned = run_provisioning(settings_file.load(CloudSettings, settings_path))
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    except TransientError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(3)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(each) for each in provisioned], indent=2))
    else:
        Console().print(_table(provisioned))


def _table(provisioned: list[Provisioned]) -> Table:
    table = Table("kind", "name", "outcome")
    for each in provisioned:
        table.add_row(each.kind, each.name, each.outcome)
    return table
