"""`digiscope-edge run`: the agent on this terminal, until a signal, a key or the last answer."""

import os
import signal
import sys
import threading
from pathlib import Path

import click
import structlog

from digiscope_edge import inbox
from digiscope_edge.adapters.event_journal import EventJournal
from digiscope_edge.agent import Ending
from digiscope_edge.bootstrap import RunningDevice, build, load_classifier, lock_of, open_outbox
from digiscope_edge.captures import HeldCapture
from digiscope_edge.display_bootstrap import display_on, keyboard_on
from digiscope_edge.files import read_image_file
from digiscope_edge.ports import Classifier, Display
from digiscope_edge.settings import AgentSettings
from digiscope_edge.terminal_view import TerminalView

log = structlog.get_logger()

DEADLINE = "deadline"
EXIT_OF = {Ending.STOPPED: 0, Ending.SETTLED: 0, Ending.TAKEN_OVER: 4}


def run_agent(
    settings: AgentSettings,
    files: tuple[Path, ...],
    *,
    exit_when_answered: bool,
    deadline_s: float | None,
    journal: Path | None = None,
) -> int:
    """Run; return the exit code."""
    with lock_of(settings):
        outbox = open_outbox(settings)
        found = outbox.reconcile()
        if found.orphans or found.damaged or found.missing:
            log.warning("outbox_reconciled", orphans=found.orphans, damaged=found.damaged, missing=found.missing)
        classifier = load_classifier(settings)
        device = build(
            settings,
            outbox,
            classifier=classifier,
            make_display=lambda: _display(settings, classifier, journal),
        )
        try:
            code = _run(device, files, exit_when_answered=exit_when_answered, deadline_s=deadline_s)
        finally:
            outbox.close()
        if not device.stop_sources():
            log.warning("camera_driver_hangs", hint="its thread is left behind")
            sys.stdout.flush()
            os._exit(code)
        return code


def _display(settings: AgentSettings, classifier: Classifier | None, journal: Path | None) -> Display:
    view = TerminalView(device_id=settings.device_id, model_digest=classifier.model_digest if classifier else "")
    display = display_on(sys.stdout, sys.stdin, view, has_camera=bool(settings.camera.source))
    return EventJournal(display, journal) if journal is not None else display


def _run(device: RunningDevice, files: tuple[Path, ...], *, exit_when_answered: bool, deadline_s: float | None) -> int:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, _: device.post(inbox.Stop(reason=signal.Signals(number).name)))
    keyboard = keyboard_on(
        sys.stdin,
        capture=device.camera.request_capture if device.camera else None,
        quit_agent=lambda: device.post(inbox.Stop(reason="key")),
    )
    feeder = _Feeder(device, files, exit_when_answered=exit_when_answered)
    deadline = threading.Timer(deadline_s or 0, lambda: device.post(inbox.Stop(reason=DEADLINE)))
    deadline.daemon = True
    if deadline_s is not None and exit_when_answered:
        deadline.start()
    keyboard.start()
    device.start_sources()
    feeder.start()
    device.services.ready()
    try:
        ending = device.agent.run()
    finally:
        device.services.stopping()
        deadline.cancel()
        device.stop_sources()
        keyboard.stop()
    if ending is Ending.TAKEN_OVER:
        click.echo("digiscope-edge: another agent connected with this device id; this one ends", err=True)
    if exit_when_answered and ending is Ending.STOPPED:
        return 1 if device.agent.was_connected else 3
    return EXIT_OF[ending] or int(feeder.refused > 0 or device.agent.rejected > 0)


class _Feeder:
    """Hands the command line's files to the intake, beside the agent, so that the first is sent while others come."""

    def __init__(self, device: RunningDevice, files: tuple[Path, ...], *, exit_when_answered: bool) -> None:
        self._device, self._files, self._exit = device, files, exit_when_answered
        self.refused = 0
        self._thread = threading.Thread(target=self._feed, name="feeder", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _feed(self) -> None:
        taken = set()
        for number, path in enumerate(self._files, start=1):
            # Not the file's name: it may be a patient's.
            outcome = self._device.intake.take(read_image_file(path, source=f"file {number}/{len(self._files)}"))
            if isinstance(outcome, HeldCapture):
                taken.add(outcome.capture_id)
            else:
                self.refused += 1
                self._device.post(inbox.Happened(event=outcome))
        if self._exit:
            self._device.post(inbox.FilesGiven(capture_ids=frozenset(taken)))
