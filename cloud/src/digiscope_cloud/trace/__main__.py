"""`digiscope-cloud trace`: where is my image, and who holds it?"""

import sys
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from digiscope_cloud.fleet.settings import FleetSettings
from digiscope_cloud.ports import NotFoundError
from digiscope_cloud.printable import printable
from digiscope_cloud.trace.bootstrap import open_tracer
from digiscope_cloud.trace.tracer import CaptureTrace
from digiscope_shared import logs, settings_file
from digiscope_shared.capture_ids import is_capture_id
from digiscope_shared.codec import decode_json
from digiscope_shared.errors import PermanentError, SettingsError, TransientError
from digiscope_shared.lesions import DISCLAIMER
from digiscope_shared.messages import TraceStep

EXAMPLES = """
\b
Examples:
  digiscope-cloud trace 019a2b3c-… --settings deploy/cloud.yaml
  digiscope-edge trace 019a2b3c-… --json > account.jsonl    # on the device, for its side of the way
  digiscope-cloud trace 019a2b3c-… --device-account account.jsonl --settings deploy/cloud.yaml

Steps stand in the order of the way; a device's times are by its own clock.
Exit codes: 0 found, 1 nobody who was asked knows the capture, 2 bad settings or usage, 3 the cloud can't be reached.
"""


@click.command(epilog=EXAMPLES)
@click.argument("capture_id")
@click.option("--settings", "settings_path", type=click.Path(path_type=Path), required=True, help="Project and bucket.")
@click.option(
    "--device-account", type=click.Path(path_type=Path, dir_okay=False), help="What `digiscope-edge trace --json` said."
)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def trace(capture_id: str, settings_path: Path, device_account: Path | None, *, as_json: bool) -> None:
    """Say how far a capture is, step by step, who holds it, and what comes next."""
    logs.configure(level="error")
    if not is_capture_id(capture_id):
        raise click.BadParameter(f"{printable(capture_id)!r} is no capture id: a UUIDv7 in lower case")
    try:
        settings = settings_file.load(FleetSettings, settings_path)
        account = _read_account(device_account) if device_account is not None else []
        found = open_tracer(settings).trace(capture_id, account)
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    except NotFoundError:
        click.echo(f"Error: no object, no dead letter and no account of {capture_id} in {settings.bucket}", err=True)
        sys.exit(1)
    except (TransientError, PermanentError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(3 if isinstance(error, TransientError) else 1)
    _show(found, as_json=as_json)


def _read_account(path: Path) -> list[TraceStep]:
    try:
        return [decode_json(TraceStep, line) for line in path.read_bytes().splitlines() if line.strip()]
    except OSError as error:
        raise SettingsError(f"{path}: can't be read: {error.strerror}") from error
    except PermanentError as error:
        raise SettingsError(f"{path}: not what `digiscope-edge trace --json` prints: {error}") from error


def _show(found: CaptureTrace, *, as_json: bool) -> None:
    if as_json:
        fields: dict[str, Any] = msgspec.to_builtins(found) | {"disclaimer": DISCLAIMER}
        click.echo(msgspec.json.format(msgspec.json.encode(fields)).decode())
        return
    table = Table(box=None)
    for column in ("at", "where", "step", "detail"):
        table.add_column(column, overflow="fold")
    for step in found.steps:
        table.add_row(
            *(escape(printable(text)) for text in (step.at or "(unknown)", step.where, step.name, step.detail))
        )
    Console().print(table)
    click.echo(f"\nheld by  {found.standing.holder}\nnext     {found.standing.next_step}")
    click.echo(f"device   {_device_line(found)}\n{DISCLAIMER}")


def _device_line(found: CaptureTrace) -> str:
    if not found.device_id:
        return "unknown to the cloud"
    if found.reported is None:
        return f"{printable(found.device_id)}, unheard"
    state, heard = found.reported.state, found.reported.received_at[:19]
    return f"{found.device_id}, {state.lifecycle}, heard {heard}; {state.outbox_captures} captures in its outbox"


if __name__ == "__main__":
    trace()
