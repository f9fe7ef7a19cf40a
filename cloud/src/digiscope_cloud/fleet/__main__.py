"""`digiscope-cloud fleet`: what is desired of devices, and what they report."""

import getpass
import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from digiscope_cloud.audit_log.bootstrap import open_audit_log
from digiscope_cloud.audit_log.entries import Act, AuditEntry
from digiscope_cloud.fleet import tables
from digiscope_cloud.fleet.bootstrap import FleetService, open_shadows
from digiscope_cloud.fleet.desired import parse_changes
from digiscope_cloud.fleet.settings import FleetSettings
from digiscope_cloud.identity.commands import COMMANDS as IDENTITY_COMMANDS
from digiscope_cloud.stop_signals import stop_event
from digiscope_shared import logs, settings_file
from digiscope_shared.codec import encode_json
from digiscope_shared.errors import PermanentError, SettingsError, TransientError
from digiscope_shared.messages import DesiredConfig
from digiscope_shared.mqtt_topics import is_device_id
from digiscope_shared.signing import load_signing_key

EXAMPLES = """
\b
Examples:
  digiscope-cloud fleet serve --settings deploy/cloud.yaml
  digiscope-cloud fleet devices --settings deploy/cloud.yaml
  digiscope-cloud fleet config set site-1 quality.min_sharpness=40 camera.width=1280 --settings deploy/cloud.yaml
  DIGISCOPE_SIGNING_KEY=fleet/signing.key digiscope-cloud fleet config set site-1 prescreen=false --settings …
  digiscope-cloud fleet config show site-1 --json --settings deploy/cloud.yaml

Exit codes: 0 done, 1 nothing known of the device, 2 bad settings or values, 3 the cloud can't be reached.
"""
F = TypeVar("F", bound=Callable[..., Any])


def _load(_context: click.Context, _parameter: click.Parameter, path: Path) -> FleetSettings:
    with _exit_codes():
        return settings_file.load(FleetSettings, path)


def _check_device(_context: click.Context, _parameter: click.Parameter, device_id: str) -> str:
    if not is_device_id(device_id):
        raise click.BadParameter(f"{device_id!r} can't be a device id: 1 to 63 of a-z, 0-9, '.', '_', '-'")
    return device_id


settings_option = click.option(
    "--settings",
    type=click.Path(path_type=Path),
    required=True,
    callback=_load,
    help="Project and bucket.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="For machines.")
device_argument = click.argument("device_id", metavar="DEVICE", callback=_check_device)


@contextmanager
def _exit_codes() -> Iterator[None]:
    try:
        yield
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    except (TransientError, PermanentError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(3 if isinstance(error, TransientError) else 1)


@click.group(epilog=EXAMPLES)
def fleet() -> None:
    """Configure devices and see what they report."""


@fleet.command()
@settings_option
@click.option("--log-level", default="info", show_default=True)
def serve(settings: FleetSettings, log_level: str) -> None:
    """Keep what devices report, and send configs again to devices that missed one."""
    logs.configure(level=log_level)
    stopping = stop_event()
    with _exit_codes():
        service = FleetService(settings)
    service.start()
    stopping.wait()
    service.stop()


@fleet.command()
@settings_option
@json_option
def devices(settings: FleetSettings, *, as_json: bool) -> None:
    """List devices with their last report."""
    with _exit_codes():
        shadows = open_shadows(settings)
        found = [
            tables.Shadow(device_id=device_id, desired=shadows.desired(device_id), reported=shadows.reported(device_id))
            for device_id in shadows.device_ids()
        ]
    tables.show_devices(found, as_json=as_json)


@fleet.group()
def config() -> None:
    """Desired and reported config of one device."""


@config.command("set")
@device_argument
@click.argument("assignments", metavar="KEY=VALUE...", nargs=-1)
@click.option("--model", "model_digest", help="Digest of the model bundle that the device should serve.")
@click.option(
    "--signing-key",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="DIGISCOPE_SIGNING_KEY",
    help="The fleet's signing.key: a device that knows its fleet obeys nothing else.",
)
@settings_option
@json_option
def set_config(
    device_id: str,
    assignments: tuple[str, ...],
    model_digest: str | None,
    signing_key: Path | None,
    settings: FleetSettings,
    *,
    as_json: bool,
) -> None:
    """Desire a config: values are YAML, keys are dotted, null takes a key out."""
    with _exit_codes():
        changes = parse_changes(assignments)
        if not changes and model_digest is None:
            raise SettingsError("nothing to change: give KEY=VALUE or --model")
        key = load_signing_key(signing_key) if signing_key else None
        shadows = open_shadows(settings, signing_key=key)
        desired = shadows.desire(device_id, changes, model_digest=model_digest)
        _note_configured(device_id, desired)
        try:
            shadows.send(device_id)
        except TransientError:
            click.echo(f"version {desired.version} is kept, but not sent: `fleet serve` will send it", err=True)
            raise
    if key is None:
        click.echo("not signed (no --signing-key): a device that knows its fleet will refuse it", err=True)
    tables.show_desired(device_id, desired, as_json=as_json)


@config.command("show")
@device_argument
@settings_option
@json_option
def show_config(device_id: str, settings: FleetSettings, *, as_json: bool) -> None:
    """Show what is desired beside what the device reports, and why it refused."""
    with _exit_codes():
        shadows = open_shadows(settings)
        shadow = tables.Shadow(
            device_id=device_id, desired=shadows.desired(device_id), reported=shadows.reported(device_id)
        )
    tables.show_shadow(shadow, as_json=as_json)
    if shadow.desired is None and shadow.reported is None:
        sys.exit(1)


def _note_configured(device_id: str, desired: DesiredConfig) -> None:
    detail = {"version": str(desired.version), "model_digest": desired.model_digest}
    detail["config_sha256"] = hashlib.sha256(encode_json(desired)).hexdigest()
    entry = AuditEntry(act=Act.CONFIGURED, subject=device_id, actor=getpass.getuser(), detail=detail)
    open_audit_log().append(entry)


for command in IDENTITY_COMMANDS:
    fleet.add_command(command)

if __name__ == "__main__":
    fleet()
