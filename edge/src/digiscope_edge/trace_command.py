"""`digiscope-edge trace`: how far one capture is, by this device's own account."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from digiscope_edge.bootstrap import open_outbox
from digiscope_edge.settings import AgentSettings
from digiscope_edge.terminal_view import shown
from digiscope_edge.trace_account import account_of
from digiscope_shared.capture_trace import standing_of
from digiscope_shared.codec import encode_json
from digiscope_shared.errors import SettingsError
from digiscope_shared.lesions import DISCLAIMER
from digiscope_shared.messages import TraceStep

EXIT_UNKNOWN = 1


def trace_capture(settings: AgentSettings, capture_id: str, *, journal: Path | None, as_json: bool) -> int:
    """Print the steps; return the exit code."""
    outbox = open_outbox(settings)
    capture = outbox.find(capture_id)
    if capture is None:
        hint = f"never accepted, or forgotten: answered ones are kept until {settings.outbox.history} newer ones came"
        click.echo(f"digiscope-edge: no capture {shown(capture_id)} in this outbox: {hint}", err=True)
        return EXIT_UNKNOWN
    events = _events(journal, capture_id) if journal is not None else iter(())
    steps = account_of(capture, outbox.results(capture_id), events)
    for step in steps:
        click.echo(encode_json(step).decode() if as_json else _line(step))
    if not as_json:
        standing = standing_of(steps)
        click.echo(f"held by  {standing.holder}\nnext     {standing.next_step}\n{DISCLAIMER}")
    return 0


def _events(journal: Path, capture_id: str) -> Iterator[dict[str, Any]]:
    try:
        with journal.open("rb") as lines:
            for line in lines:
                # A killed agent leaves half a line.
                if capture_id.encode() in line and line.endswith(b"}\n"):
                    event = msgspec.json.decode(line, type=dict[str, Any])
                    if event.get("capture_id") == capture_id:
                        yield event
    except (OSError, msgspec.DecodeError) as error:
        raise SettingsError(f"--journal {journal}: can't be read: {error}") from error


def _line(step: TraceStep) -> str:
    return f"{step.at or '(no time kept)':<24} {step.name:<16} {shown(step.detail)}".rstrip()
