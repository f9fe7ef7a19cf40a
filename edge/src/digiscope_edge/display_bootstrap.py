"""The screen's part of the composition root: a live table where a person looks, plain lines where none does."""

from collections.abc import Callable
from typing import TextIO

from digiscope_edge.adapters.keyboard import Keyboard, is_ours
from digiscope_edge.adapters.plain_log import PlainLog
from digiscope_edge.adapters.terminal import AgentConsole, Terminal
from digiscope_edge.ports import Display
from digiscope_edge.terminal_view import TerminalView

CAPTURE_KEY, QUIT_KEY = " ", "q"


def display_on(stdout: TextIO, stdin: TextIO, view: TerminalView, *, has_camera: bool) -> Display:
    """Return a display, not started; it names the keys only where they work."""
    console = AgentConsole(file=stdout)
    if not console.is_terminal or console.is_dumb_terminal:
        return PlainLog(view, stream=stdout)
    keys = "q quit" if not has_camera else "space capture · q quit"
    return Terminal(view, console=console, keys=keys if is_ours(stdin) else "")


def keyboard_on(stdin: TextIO, *, capture: Callable[[], None] | None, quit_agent: Callable[[], None]) -> Keyboard:
    """Return a keyboard, not started; `capture` is None where there is no camera."""
    actions = {QUIT_KEY: quit_agent} | ({CAPTURE_KEY: capture} if capture is not None else {})
    return Keyboard(actions, stream=stdin)
