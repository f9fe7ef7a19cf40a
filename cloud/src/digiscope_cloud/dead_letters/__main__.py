"""`digiscope-cloud dead-letters`: what failed, why, since when; replay it after the fix, or drop it for good."""

import getpass
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import click

from digiscope_cloud.audit_log.bootstrap import VARIABLE, open_audit_log
from digiscope_cloud.audit_log.entries import NoAuditLog
from digiscope_cloud.dead_letters import tables
from digiscope_cloud.dead_letters.bootstrap import open_desk
from digiscope_cloud.dead_letters.desk import DeadLetterDesk, Ending, Outcome
from digiscope_cloud.dead_letters.letter import Letter
from digiscope_cloud.settings import CloudSettings
from digiscope_shared import logs, settings_file
from digiscope_shared.errors import SettingsError, TransientError
from digiscope_shared.pubsub_topics import DEAD_LETTERS

EXAMPLES = """
\b
Examples:
  digiscope-cloud dead-letters list --settings deploy/cloud.yaml
  digiscope-cloud dead-letters list --in uplink-dead --reason wrong-hash --json --settings deploy/cloud.yaml
  digiscope-cloud dead-letters show 3f2a9c1b04 --settings deploy/cloud.yaml
  digiscope-cloud dead-letters replay 3f2a9c1b04 --settings deploy/cloud.yaml
  digiscope-cloud dead-letters replay --all --reason bridge-fault --settings deploy/cloud.yaml
  digiscope-cloud dead-letters drop 3f2a9c1b04 --why "a test device" --settings deploy/cloud.yaml

Replayed and dropped letters are noted in the audit log that DIGISCOPE_AUDIT_LOG names.
Exit codes: 0 done, 1 a letter isn't there or was refused again, 2 bad settings or usage, 3 the cloud can't be reached.
"""


@contextmanager
def _exit_codes() -> Iterator[None]:
    try:
        yield
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    except TransientError as error:
        click.echo(f"Error: {error}. What wasn't done lies where it was.", err=True)
        sys.exit(3)


def _load(_context: click.Context, _parameter: click.Parameter, path: Path) -> CloudSettings:
    with _exit_codes():
        return settings_file.load(CloudSettings, path)


_SETTINGS = click.option(
    "--settings", type=click.Path(path_type=Path), required=True, callback=_load, help="Project and bucket."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="For machines.")
_IN = click.option("--in", "places", multiple=True, type=click.Choice(DEAD_LETTERS), help="Only there; repeatable.")
_REASON = click.option("--reason", default="", help="Only what failed for this reason.")


def _chosen(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say which letters it is about."""
    options = (
        click.argument("keys", metavar="[KEY]...", nargs=-1),
        click.option("--all", "take_all", is_flag=True, help="All that --in and --reason leave."),
        _IN,
        _REASON,
        _SETTINGS,
        _JSON,
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.group("dead-letters", epilog=EXAMPLES)
def dead_letters() -> None:
    """Look at what failed; replay it after the fix, or drop it."""
    logs.configure(level="error")


@dead_letters.command("list", epilog=EXAMPLES)
@_IN
@_REASON
@_SETTINGS
@_JSON
def list_letters(places: tuple[str, ...], reason: str, settings: CloudSettings, *, as_json: bool) -> None:
    """List what lies there, oldest first; listing takes nothing away."""
    with _exit_codes():
        letters = _desk(settings).letters(places or DEAD_LETTERS, reason=reason)
    tables.show_letters(letters, as_json=as_json)


@dead_letters.command(epilog=EXAMPLES)
@click.argument("key")
@_SETTINGS
@_JSON
def show(key: str, settings: CloudSettings, *, as_json: bool) -> None:
    """Show one letter: its attributes, and its body where that is JSON."""
    with _exit_codes():
        letter = _desk(settings).find(key)
    if letter is None:
        _end_unknown([key])
    tables.show_letter(letter, as_json=as_json)


@dead_letters.command(epilog=EXAMPLES)
@_chosen
def replay(*, as_json: bool, settings: CloudSettings, **choice: Any) -> None:
    """Send letters again to where they belong; what is refused again stays."""
    with _exit_codes():
        desk = _desk(settings)
        _finish(desk.replay(_choose(desk, **choice)), as_json=as_json)


@dead_letters.command(epilog=EXAMPLES)
@_chosen
@click.option("--why", required=True, help="Kept in the audit log; never a patient's name.")
@click.option("--yes", is_flag=True, help="Don't ask.")
def drop(*, why: str, yes: bool, as_json: bool, settings: CloudSettings, **choice: Any) -> None:
    """Take letters away for good."""
    with _exit_codes():
        desk = _desk(settings)
        letters = _choose(desk, **choice)
        if letters and not yes:
            click.confirm(f"Delete {len(letters)} dead letters for good?", abort=True, err=True)
        _finish(desk.drop(letters, why=why), as_json=as_json)


def _desk(settings: CloudSettings) -> DeadLetterDesk:
    return open_desk(settings, audit_log=open_audit_log(), actor=getpass.getuser())


def _choose(
    desk: DeadLetterDesk, *, keys: tuple[str, ...], take_all: bool, places: tuple[str, ...], reason: str
) -> Sequence[Letter]:
    if bool(keys) == take_all:
        raise SettingsError("give KEYs or --all")
    letters = desk.letters(places or DEAD_LETTERS, reason=reason)
    if take_all:
        return letters
    missing = sorted(set(keys) - {letter.key for letter in letters})
    if missing:
        _end_unknown(missing)
    return [letter for letter in letters if letter.key in keys]


def _finish(outcomes: Iterable[Outcome], *, as_json: bool) -> None:
    endings = []
    for outcome in outcomes:
        tables.show_outcome(outcome, as_json=as_json)
        endings.append(outcome.ending)
    if endings and isinstance(open_audit_log(), NoAuditLog):
        click.echo(f"not noted: {VARIABLE} names no audit log", err=True)
    if not set(endings) <= {Ending.REPLAYED, Ending.DROPPED}:
        sys.exit(1)


def _end_unknown(keys: Sequence[str]) -> NoReturn:
    click.echo(f"Error: no dead letter {', '.join(keys)}: `dead-letters list` names those that are there", err=True)
    sys.exit(1)


if __name__ == "__main__":
    dead_letters()
