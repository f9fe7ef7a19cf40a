"""`digiscope-cloud bridge`: captures into storage, events into Pub/Sub, results and directives to devices."""

import dataclasses
import signal
import sys
import threading
from pathlib import Path

import click
import structlog

from digiscope_cloud.bridge.bootstrap import Bridge
from digiscope_cloud.bridge.settings import BridgeSettings
from digiscope_shared import logs, settings_file
from digiscope_shared.errors import SettingsError

EXAMPLES = """
\b
Examples:
  digiscope-cloud bridge --settings deploy/bridge.yaml
  digiscope-cloud bridge --settings deploy/bridge.yaml --replica 1

Exit codes: 0 stopped by SIGTERM or Ctrl-C, 1 a part of it died, 2 bad settings,
3 the broker gave our session to another client with the same id.
"""
_CHECK_S = 1.0


@click.command(epilog=EXAMPLES)
@click.option("--settings", "settings_path", type=click.Path(path_type=Path), required=True, help="YAML.")
@click.option("--replica", default=None, help="Overrides the settings' replica: stable, and each one's own.")
@click.option("--log-level", default=None, help="Overrides the settings' log level.")
def bridge(settings_path: Path, replica: str | None, log_level: str | None) -> None:
    """Carry messages between MQTT and Google Cloud. Research use only, not a diagnosis."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        settings = settings_file.load(BridgeSettings, settings_path)
        if replica is not None:
            values = dataclasses.asdict(settings) | {"replica": replica}
            settings = settings_file.from_mapping(BridgeSettings, values, source="--replica")
        logs.configure(level=log_level or settings.log_level)
        running = Bridge(settings)
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    running.start()
    while not stopping.wait(_CHECK_S) and running.is_alive():
        pass
    fatal, died = running.fatal, not stopping.is_set()
    running.stop()
    if fatal is not None:
        click.echo(f"Error: {fatal.detail or fatal.state}", err=True)
        sys.exit(3)
    if died:
        structlog.get_logger().error("bridge_died")
        sys.exit(1)


if __name__ == "__main__":
    bridge()
