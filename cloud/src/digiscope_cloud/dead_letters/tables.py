"""Dead letters for people and machines, on standard output. Bodies are shown where they are JSON: never pixels."""

import hashlib
from collections.abc import Sequence
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from digiscope_cloud.dead_letters.desk import Outcome
from digiscope_cloud.dead_letters.letter import Letter
from digiscope_cloud.printable import printable
from digiscope_shared.lesions import DISCLAIMER

# What is copied from here must be whole: a window or file that is narrower than this breaks lines itself.
_MIN_WIDTH = 160
_MIN_WIDTHS = {"key": 10, "since": 25, "capture": 36}
_COLUMNS = ("key", "where", "since", "reason", "schema", "device", "capture", "attempts", "detail")


def show_letters(letters: Sequence[Letter], *, as_json: bool) -> None:
    if as_json:
        _show_json({"letters": [_fields(letter) for letter in letters], "disclaimer": DISCLAIMER})
        return
    table = Table(box=None)
    for column in _COLUMNS:
        table.add_column(column, overflow="fold", min_width=_MIN_WIDTHS.get(column))
    for letter in letters:
        table.add_row(*(escape(printable(_cell(value))) for value in _fields(letter).values()))
    Console(width=max(_MIN_WIDTH, Console().width)).print(table)
    click.echo(f"{len(letters)} dead letters ({DISCLAIMER})")


def show_letter(letter: Letter, *, as_json: bool) -> None:
    attributes, body = dict(letter.message.attributes), _body(letter.envelope.body)
    if as_json:
        _show_json(_fields(letter) | {"attributes": attributes, "body": body, "disclaimer": DISCLAIMER})
        return
    for name, value in _fields(letter).items():
        click.echo(f"{name:<10} {printable(_cell(value))}")
    click.echo("\nattributes")
    for name, value in sorted(attributes.items()):
        click.echo(f"  {printable(name)}: {printable(value)}")
    click.echo("\nbody")
    for line in msgspec.json.format(msgspec.json.encode(body)).decode().splitlines():
        click.echo(f"  {printable(line)}")
    click.echo(DISCLAIMER)


def show_outcome(outcome: Outcome, *, as_json: bool) -> None:
    letter = outcome.letter
    if as_json:
        fields = {"key": letter.key, "where": letter.place, "ending": outcome.ending, "detail": outcome.detail}
        click.echo(msgspec.json.encode(fields).decode())
        return
    said = f": {printable(outcome.detail)}" if outcome.detail else ""
    click.echo(
        f"{letter.key}  {letter.place}  {printable(letter.capture_id or letter.device_id)}  {outcome.ending}{said}"
    )


def _fields(letter: Letter) -> dict[str, Any]:
    return {
        "key": letter.key,
        "where": letter.place,
        "since": letter.since.isoformat(timespec="seconds"),
        "reason": letter.reason,
        "schema": letter.schema,
        "device": letter.device_id,
        "capture": letter.capture_id,
        "attempts": letter.attempts,
        "detail": letter.detail,
    }


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


def _body(content: bytes) -> Any:
    """Return JSON as it is, anything else as what tells it from others."""
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _show_json(value: Any) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(value)).decode())
