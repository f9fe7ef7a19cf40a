"""`digiscope-cloud fleet init|enroll|sign-request|rotate|revoke|list`: who belongs to the fleet."""

import getpass
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from rich.console import Console
from rich.table import Table

from digiscope_cloud.audit_log.entries import Act, AuditEntry
from digiscope_cloud.audit_log.file_audit_log import FileAuditLog
from digiscope_cloud.identity import bundle_signing
from digiscope_cloud.identity.authority import FleetAuthority, Issued
from digiscope_cloud.identity.certificates import Role
from digiscope_cloud.identity.fleet_folder import AUDIT_LOG, SIGNING_KEY, FleetFolder, write_whole
from digiscope_cloud.identity.mosquitto_gate import MosquittoGate
from digiscope_cloud.identity.register import IssuedCertificate, Standing
from digiscope_shared.errors import PermanentError, SettingsError, TransientError
from digiscope_shared.signing import load_signing_key

EXAMPLES = """
\b
Examples:
  digiscope-cloud fleet init --fleet-dir fleet --name north --broker broker.north.example
  digiscope-cloud fleet enroll broker --role broker --host broker.north.example --out broker.tar
  digiscope-cloud fleet enroll clinic-07 --out clinic-07.tar          # then, there: digiscope-edge enroll clinic-07.tar
  digiscope-cloud fleet sign-request clinic-08 clinic-08.csr --out clinic-08.tar   # its key never left the device
  digiscope-cloud fleet rotate clinic-07 --out clinic-07-new.tar      # both hold until the old one expires
  digiscope-cloud fleet revoke clinic-07 --superseded                 # … or until this
  digiscope-cloud fleet revoke clinic-07                              # stolen: out now, also if connected
  digiscope-cloud fleet list --due
  digiscope-cloud fleet sign-bundle runs/cloud/bundle --out signed

Exit codes: 0 done, 2 bad usage or settings, 3 done here, but the broker was not reached: run it again.
"""
_STYLE: Final = {
    Standing.VALID: "green",
    Standing.RENEW: "yellow",
    Standing.EXPIRED: "red",
    Standing.REVOKED: "dim",
}

_Command = TypeVar("_Command", bound=Callable[..., Any])
_NAME = click.argument("name")
_ROLE = click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    default=Role.DEVICE.value,
    show_default=True,
    callback=lambda *a: Role(a[2]),
)
_HOSTS = click.option("--host", "hosts", multiple=True, help="A name or address that a broker is reached under.")
_OUT = click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The one file to hand over; mode 0600.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="For machines.")


def _fleet_dir(command: _Command) -> _Command:
    option = click.option(
        "--fleet-dir",
        type=click.Path(path_type=Path, file_okay=False),
        envvar="DIGISCOPE_FLEET",
        default=Path("fleet"),
        show_default=True,
        help="Root key, register and lists. Keep it locked away.",
    )
    return option(command)


@click.command(epilog=EXAMPLES)
@_fleet_dir
@click.option("--name", required=True, help="The fleet's name, as its root certificate says it.")
@click.option("--broker", required=True, help="Host that devices dial.")
@click.option("--port", default=8883, show_default=True)
def init(fleet_dir: Path, name: str, broker: str, port: int) -> None:
    """Make a fleet: root key, signing key, an empty revocation list."""
    text = f"# Keys: digiscope_cloud/identity/settings.py\nfleet: {json.dumps(name)}\n"
    text += f"broker:\n  host: {json.dumps(broker)}\n  port: {port}\n"
    with _errors():
        folder = FleetFolder.create(fleet_dir, text, datetime.now(UTC))
    click.echo(f"{folder.path}: ready. ca.crt and crl.pem go to the broker, signing.pub to devices, the rest nowhere.")


@click.command(epilog=EXAMPLES)
@_NAME
@_ROLE
@_HOSTS
@_OUT
@_fleet_dir
def enroll(name: str, role: Role, hosts: tuple[str, ...], out: Path, fleet_dir: Path) -> None:
    """Make key and certificate for a new device, service or broker."""
    with _errors():
        _hand_over(_authority(fleet_dir).enroll(name, role, hosts=hosts), out)


@click.command(name="sign-request", epilog=EXAMPLES)
@_NAME
@click.argument("request", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--renew", "renews", is_flag=True, help="Beside a certificate that still holds.")
@_OUT
@_fleet_dir
def sign_request(name: str, request: Path, out: Path, fleet_dir: Path, *, renews: bool) -> None:
    """Certify a key that the device made itself with `digiscope-edge enroll-request`."""
    with _errors():
        _hand_over(_authority(fleet_dir).sign_request(name, request.read_bytes(), renews=renews), out)


@click.command(epilog=EXAMPLES)
@_NAME
@_ROLE
@_HOSTS
@_OUT
@_fleet_dir
def rotate(name: str, role: Role, hosts: tuple[str, ...], out: Path, fleet_dir: Path) -> None:
    """Make a new key and certificate; the old one holds on, so that nothing stops in between."""
    with _errors():
        _hand_over(_authority(fleet_dir).rotate(name, role, hosts=hosts), out)


@click.command(epilog=EXAMPLES)
@_NAME
@click.option("--superseded", is_flag=True, help="All but the newest: the end of a rotation.")
@_fleet_dir
def revoke(name: str, fleet_dir: Path, *, superseded: bool) -> None:
    """Put a name on the revocation list, have the broker read it, end the connection that stands."""
    with _errors():
        control = FleetFolder(fleet_dir).settings().control
        gate = MosquittoGate(control) if control.crl_file else None
        authority = _authority(fleet_dir)
        revoked = authority.revoke_superseded(name, gate) if superseded else authority.revoke(name, gate)
    click.echo(f"{name}: {len(revoked)} revoked")
    if gate is None:
        click.echo(
            f"The broker knows nothing yet (control.crl_file isn't set): copy {fleet_dir}/crl.pem to its crlfile,"
        )
        click.echo("reload it, and restart it if the device is connected.")
        sys.exit(3)
    click.echo("The broker refuses it from now on; no connection of it stands.")


@click.command(name="list", epilog=EXAMPLES)
@click.option("--due", is_flag=True, help="Only what needs a hand: to be renewed, or expired and not replaced.")
@_JSON
@_fleet_dir
def list_(fleet_dir: Path, *, due: bool, as_json: bool) -> None:
    """Show who holds what, and until when."""
    now = datetime.now(UTC)
    with _errors():
        issued = FleetFolder(fleet_dir).register().issued
    shown = [each for each in issued if not due or _is_due(each, issued, now)]
    if as_json:
        click.echo(json.dumps([_fields(each, now) for each in shown], indent=2))
        return
    table = Table("name", "role", "standing", "until", "days", "serial")
    for each in sorted(shown, key=lambda each: (each.name, each.not_before)):
        standing = each.standing(now)
        days = str((each.not_after - now).days)
        table.add_row(
            each.name,
            each.role,
            f"[{_STYLE[standing]}]{standing}",
            f"{each.not_after:%Y-%m-%d}",
            days,
            each.serial[:12],
        )
    Console().print(table)


@click.command(name="sign-bundle", epilog=EXAMPLES)
@click.argument("bundle", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A folder that isn't there yet.")
@_fleet_dir
def sign_bundle(bundle: Path, out: Path, fleet_dir: Path) -> None:
    """Copy a model bundle with the fleet's signature, so that its devices take it."""
    with _errors():
        folder = FleetFolder(fleet_dir)
        signed = bundle_signing.sign_bundle(bundle, load_signing_key(folder.path / SIGNING_KEY), out)
        entry = AuditEntry(
            act=Act.SIGNED, subject=signed.digest, actor=getpass.getuser(), detail={"model_id": signed.model_id}
        )
        FileAuditLog(folder.path / AUDIT_LOG).append(entry)
    click.echo(f"{out}: signed, digest {signed.digest}")


COMMANDS: Final = (init, enroll, sign_request, rotate, revoke, list_, sign_bundle)


def _authority(fleet_dir: Path) -> FleetAuthority:
    return FleetAuthority(
        FleetFolder(fleet_dir),
        audit_log=FileAuditLog(fleet_dir / AUDIT_LOG),
        actor=getpass.getuser(),
        now=lambda: datetime.now(UTC),
    )


def _hand_over(issued: Issued, out: Path) -> None:
    write_whole(out, issued.package)
    held = issued.certificate
    click.echo(
        f"{out}: {held.role} {held.name}, until {held.not_after:%Y-%m-%d}. Whoever has this file is {held.name}."
    )


def _is_due(each: IssuedCertificate, issued: tuple[IssuedCertificate, ...], now: datetime) -> bool:
    newest = max((other.not_after for other in issued if other.name == each.name), default=each.not_after)
    return each.not_after == newest and each.standing(now) in (Standing.RENEW, Standing.EXPIRED)


def _fields(each: IssuedCertificate, now: datetime) -> dict[str, Any]:
    return {
        "name": each.name,
        "role": each.role,
        "standing": each.standing(now),
        "serial": each.serial,
        "not_before": each.not_before.isoformat(),
        "not_after": each.not_after.isoformat(),
        "revoked_at": each.revoked_at.isoformat() if each.revoked_at else None,
    }


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except (SettingsError, PermanentError) as error:
        raise click.UsageError(str(error)) from error
    except (TransientError, OSError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(3)
