"""`digiscope-cloud worker`: images from storage, results to storage and Pub/Sub."""

import sys
from pathlib import Path

import click

from digiscope_cloud.stop_signals import stop_event
from digiscope_cloud.worker.bootstrap import Worker
from digiscope_cloud.worker.settings import WorkerSettings
from digiscope_shared import logs, settings_file
from digiscope_shared.errors import PermanentError, SettingsError, TransientError

EXAMPLES = """
\b
Examples:
  digiscope-cloud worker --settings deploy/cloud.yaml
  digiscope-cloud worker --settings worker.yaml --log-level debug

Exit codes: 0 stopped by SIGTERM or Ctrl-C, 1 the model can't serve, 2 bad settings, 3 a part doesn't start.
"""


@click.command(epilog=EXAMPLES)
@click.option("--settings", "settings_path", type=click.Path(path_type=Path), required=True, help="Project and bucket.")
@click.option("--log-level", default="info", show_default=True)
def worker(settings_path: Path, log_level: str) -> None:
    """Analyse captures. Research use only, not a diagnosis."""
    logs.configure(level=log_level)
    stopping = stop_event()
    try:
        running = Worker(settings_file.load(WorkerSettings, settings_path))
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    except (PermanentError, TransientError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1 if isinstance(error, PermanentError) else 3)
    running.start()
    stopping.wait()
    running.stop()


if __name__ == "__main__":
    worker()
