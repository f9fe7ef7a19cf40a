"""The live table, readable on an 80-column console and over SSH: redrawn when something changed, not all the time."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from digiscope_edge.events import Event
from digiscope_edge.terminal_view import Answer, CaptureRow, TerminalView, duration_text, size_text
from digiscope_shared.lesions import DISCLAIMER
from digiscope_shared.lifecycle import CaptureState
from digiscope_shared.messages import Triage

# Colour repeats what the words say and never says more.
TRIAGE_STYLE: Final = {
    Triage.REFER: "bold red",
    Triage.REVIEW: "yellow",
    Triage.ROUTINE: "green",
    Triage.RETAKE: "magenta",
}
CAMERA_STYLE: Final = {"ok": "green", "idle": "", "none": "", "frozen": "bold yellow", "gone": "bold red"}
# A thin link carries eight redraws a second; a running time needs one.
MIN_REDRAW_S: Final = 0.125
TICK_S: Final = 1.0
# Title, health, table head with its rule, table's foot, counts; the cursor keeps the last line.
FIXED_LINES: Final = 7
MIN_ROWS: Final = 3


class AgentConsole(Console):
    """rich's console ends the process when its reader is gone; an agent without a screen has work to do."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


class Terminal:
    """Display on a terminal. `show` may be called from any thread."""

    def __init__(
        self,
        view: TerminalView,
        *,
        keys: str = "",
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._view = view
        self._keys = keys
        self._console = console or AgentConsole()
        self._clock = clock
        self._changed = threading.Condition()
        self._dirty = False
        self._stopping = threading.Event()
        # Logs that go to a file stay there; those that share the screen are printed above the table.
        shared = sys.stderr.isatty()
        self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop", redirect_stderr=shared)
        self._thread = threading.Thread(target=self._run, name="terminal", daemon=True)

    def start(self) -> None:
        with contextlib.suppress(OSError):
            self._live.start()
        self._redraw()
        self._thread.start()

    def show(self, event: Event) -> None:
        with self._changed:
            self._view.apply(event, self._clock())
            self._dirty = True
            self._changed.notify()

    def stop(self) -> None:
        """Draw the last state and give the terminal back."""
        self._stopping.set()
        with self._changed:
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()
        self._redraw()
        with contextlib.suppress(OSError):
            self._live.stop()

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._dirty or self._stopping.is_set(), TICK_S)
                due = self._dirty or self._view.waits
                self._dirty = False
            if due:
                self._redraw()
            self._stopping.wait(MIN_REDRAW_S)

    def _redraw(self) -> None:
        with self._changed:
            drawn = render(self._view, self._clock(), height=self._console.height, keys=self._keys)
        # A terminal that hung up (SSH gone) takes nothing more; the agent goes on without it.
        with contextlib.suppress(OSError):
            self._live.update(drawn, refresh=True)


def render(view: TerminalView, now_s: float, *, height: int, keys: str = "") -> RenderableType:
    """Return the screen for `height` lines: the newest captures that fit, the disclaimer always."""
    notices = [Text(f"! {problem}", style="yellow", overflow="ellipsis", no_wrap=True) for problem in view.problems]
    if view.finding:
        notices.append(Text(view.finding, style="dim", overflow="ellipsis", no_wrap=True))
    if view.advice:
        notices.append(Text(f"! {view.advice}", style="bold magenta"))
    # Advice may need a second line; a problem is cut at one.
    room = max(MIN_ROWS, height - FIXED_LINES - len(notices) - bool(view.advice))
    return Group(_title(view), _health(view), _table(view.rows()[-room:], now_s), *notices, _foot(view, keys))


def _title(view: TerminalView) -> RenderableType:
    line = Table.grid(expand=True)
    line.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    line.add_column(justify="right", no_wrap=True)
    line.add_row(Text.assemble(("DigiScope ", "bold"), view.device_id), Text(DISCLAIMER, style="bold reverse"))
    return line


def _health(view: TerminalView) -> Text:
    link = ("up", "green") if view.connected else ("away", "bold yellow")
    outbox = f"{view.outbox_captures}, {size_text(view.outbox_bytes)}" if view.outbox_captures else "empty"
    fields: list[tuple[str, tuple[str, str]]] = [
        ("link", link),
        ("camera", (view.camera.state, CAMERA_STYLE.get(view.camera.state, ""))),
        ("outbox", (outbox, "bold red" if view.outbox_full else "")),
        ("config", (str(view.config_version or "default"), "yellow" if view.config_refusal else "")),
        ("model", (view.model_digest[:8] or "none", "")),
    ]
    line = Text(no_wrap=True, overflow="ellipsis")
    for number, (name, value) in enumerate(fields):
        line.append(" · " if number else "", style="dim").append(f"{name} ", style="dim").append(*value)
    return line


def _table(rows: tuple[CaptureRow, ...], now_s: float) -> Table:
    table = Table(box=SIMPLE_HEAD, expand=True, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("capture", width=8, no_wrap=True)
    table.add_column("state", width=13, no_wrap=True)
    table.add_column("preliminary", ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column("final", ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column("time", width=7, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(row.label, _state(row), _answer(row.preliminary), _final(row), duration_text(row.took_s(now_s)))
    if not rows:
        table.add_row("", Text("no captures", style="dim"))
    return table


def _state(row: CaptureRow) -> Text:
    style = {CaptureState.ANSWERED: "green", CaptureState.REJECTED: "bold red"}.get(row.state, "")
    return Text(row.progress, style=style)


def _final(row: CaptureRow) -> Text:
    return Text(row.rejection, style="red") if row.rejection else _answer(row.final)


def _answer(answer: Answer | None) -> Text:
    return Text(str(answer), style=TRIAGE_STYLE[answer.triage]) if answer else Text("–", style="dim")


def _foot(view: TerminalView, keys: str) -> RenderableType:
    line = Table.grid(expand=True)
    line.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    line.add_column(justify="right", no_wrap=True)
    always = ("captured", "stored", "answered")
    counts = [f"{count} {name}" for name, count in view.counts.items() if count or name in always]
    line.add_row(Text(", ".join(counts), style="bold"), Text(f" {keys}", style="dim"))
    return line
