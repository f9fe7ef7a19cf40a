"""One plain line an event, for pipes, files and journals: what the live table shows, without a terminal."""

import threading
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TextIO

import structlog

from digiscope_edge import events as happened
from digiscope_edge.terminal_view import TerminalView, duration_text, features_of, shown, size_text
from digiscope_shared.lesions import DISCLAIMER

log = structlog.get_logger()


class PlainLog:
    """Display on a stream. `show` may be called from any thread."""

    def __init__(self, view: TerminalView, *, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._view = view
        self._stream = stream
        self._clock = clock
        self._lock = threading.Lock()
        self._reader_gone = False

    def start(self) -> None:
        self._write(f"DigiScope {self._view.device_id}: {DISCLAIMER}")

    def show(self, event: happened.Event) -> None:
        with self._lock:
            self._view.apply(event, self._clock())
            self._write(line_of(event, self._view))

    def stop(self) -> None:
        counts = ", ".join(f"{count} {name}" for name, count in self._view.counts.items())
        self._write(f"ended: {counts} ({DISCLAIMER})")

    def _write(self, line: str) -> None:
        if self._reader_gone:
            return
        try:
            self._stream.write(f"{shown(line)}\n")
            self._stream.flush()
        except OSError as error:
            # `run | head`, or a full disk: captures matter more than lines about them.
            self._reader_gone = True
            log.warning("plain_log_ended", error=str(error))


def line_of(event: happened.Event, view: TerminalView) -> str:
    """Return the event in one line; `view` has applied it already and knows the capture's sequence."""
    return _LINES[type(event)](event, view)


def _accepted(event: happened.CaptureAccepted, view: TerminalView) -> str:
    row = view.row(event.capture_id)
    preliminary = f", preliminary {row.preliminary} ({DISCLAIMER})" if row.preliminary else ""
    return f"capture {row.label} captured: {event.source}, {size_text(event.image_bytes)}{preliminary}"


def _answered(event: happened.CaptureAnswered, view: TerminalView) -> str:
    row = view.row(event.capture_id)
    features = features_of(event.result)
    seen = f"; {features}" if features else ""
    return f"capture {row.label} answered: {row.final} in {duration_text(event.latency_s)}{seen} ({DISCLAIMER})"


def _outbox(event: happened.OutboxChanged, _view: TerminalView) -> str:
    full = ", full: no new captures" if event.full else ""
    return f"outbox: {event.captures} captures, {size_text(event.held_bytes)}{full}"


def _camera(event: happened.CameraChanged, _view: TerminalView) -> str:
    detail = f": {event.health.detail}" if event.health.detail else ""
    return f"camera {event.health.state}{detail} (restarts: {event.health.restarts})"


_LINES: Final[Mapping[type, Callable[[Any, TerminalView], str]]] = MappingProxyType(
    {
        happened.CaptureAccepted: _accepted,
        happened.CaptureRefused: lambda event, _: f"refused: {event.source}, {event.reason}. {event.advice}",
        happened.CaptureProgressed: lambda event, view: (
            f"capture {view.row(event.capture_id).label} sending: {event.parts_sent}/{event.parts} parts"
        ),
        happened.CaptureStored: lambda event, view: f"capture {view.row(event.capture_id).label} stored",
        happened.CaptureRejected: lambda event, view: (
            f"capture {view.row(event.capture_id).label} rejected: {event.reason}: {event.detail}"
        ),
        happened.CaptureAnswered: _answered,
        happened.LinkChanged: lambda event, _: f"link {'up' if event.connected else 'away'}: {event.detail}",
        happened.CameraChanged: _camera,
        happened.ConfigApplied: lambda event, _: f"config {event.version} applied",
        happened.ConfigRefused: lambda event, _: f"config {event.version} refused: {event.detail}",
        happened.OutboxChanged: _outbox,
    }
)
