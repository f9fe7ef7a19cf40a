"""`digiscope-edge capture`: from another terminal straight into the outbox, which several processes may use."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from digiscope_edge.adapters.sqlite_outbox import SqliteOutbox
from digiscope_edge.adapters.state_dir_lock import is_running
from digiscope_edge.bootstrap import CAPTURE_ASKED, build_intake, device_clocks, open_outbox
from digiscope_edge.captures import CaptureDetails, HeldCapture
from digiscope_edge.files import read_image_file
from digiscope_edge.settings import AgentSettings
from digiscope_shared.errors import SettingsError
from digiscope_shared.lesions import DISCLAIMER
from digiscope_shared.lifecycle import CaptureState
from digiscope_shared.settings_file import from_mapping

POLL_S = 0.1


def capture_files(
    settings: AgentSettings, files: tuple[Path, ...], details: Mapping[str, Any], *, wait_s: float
) -> int:
    """Take each file, print what became of it; return the exit code."""
    checked = from_mapping(CaptureDetails, details, source="options")
    outbox = open_outbox(settings)
    intake = build_intake(settings, outbox)
    accepted: list[tuple[Path, str]] = []
    for path in files:
        try:
            outcome = intake.take(read_image_file(path, source="file"), checked)
        except SettingsError as error:
            click.echo(str(error))
            continue
        if isinstance(outcome, HeldCapture):
            accepted.append((path, outcome.capture_id))
            click.echo(f"{path}: accepted as {outcome.capture_id}{_preliminary(outcome)}")
        else:
            click.echo(f"{path}: refused ({outcome.reason}): {outcome.advice}")
    if not is_running(Path(settings.state_dir)):
        click.echo("no agent runs here: the captures wait in the outbox until `digiscope-edge run`")
    answered = _wait(outbox, accepted, wait_s) if wait_s else True
    click.echo(DISCLAIMER)
    return 0 if len(accepted) == len(files) and answered else 1


def ask_camera(settings: AgentSettings) -> int:
    """Ask the running agent's camera for a capture."""
    if not is_running(Path(settings.state_dir)):
        click.echo("no agent runs here; start one with `digiscope-edge run`", err=True)
        return 3
    open_outbox(settings).remember(CAPTURE_ASKED, str(device_clocks().monotonic_s()))
    click.echo("asked the camera for a capture; `digiscope-edge status` shows what became of it")
    return 0


def _preliminary(capture: HeldCapture) -> str:
    prescreen = capture.attributes.prescreen
    return f", preliminary: {prescreen.triage}" if prescreen else ""


def _wait(outbox: SqliteOutbox, accepted: list[tuple[Path, str]], wait_s: float) -> bool:
    open_captures = {capture_id: path for path, capture_id in accepted}
    until_s = time.monotonic() + wait_s
    failed = False
    while open_captures and time.monotonic() < until_s:
        for capture_id, path in list(open_captures.items()):
            capture = outbox.find(capture_id)
            if capture is not None and capture.state is CaptureState.REJECTED:
                click.echo(f"{path}: rejected ({capture.reason}): {capture.detail}")
                failed = True
            elif capture is not None and capture.state is not CaptureState.ANSWERED:
                continue
            for result in outbox.results(capture_id):
                click.echo(f"{path}: {result.triage} ({result.model_id})")
            del open_captures[capture_id]
        time.sleep(POLL_S)
    for path in open_captures.values():
        click.echo(f"{path}: no answer yet")
    return not open_captures and not failed
