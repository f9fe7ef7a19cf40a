import io
import os
import pty
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from digiscope_edge import events as happened
from digiscope_edge.adapters.keyboard import Keyboard
from digiscope_edge.adapters.plain_log import PlainLog
from digiscope_edge.adapters.terminal import AgentConsole, Terminal, render
from digiscope_edge.terminal_view import TerminalView
from digiscope_shared.lesions import DISCLAIMER
from digiscope_shared.messages import CameraHealth
from tests.support.waiting import wait_until
from tests.unit.edge.test_terminal_view import accepted, answered

if TYPE_CHECKING:
    from digiscope_edge.ports import Display

BAD_DAY: tuple[happened.Event, ...] = (
    happened.LinkChanged(connected=False, detail="no route to broker " * 5),
    happened.CameraChanged(health=CameraHealth(state="gone", detail="unplugged " * 12, restarts=4)),
    happened.OutboxChanged(captures=9999, held_bytes=2_000_000_000, full=True),
    happened.ConfigRefused(version=5, detail="unknown key " * 10),
    happened.CaptureRefused(source="camera:0", reason="sharpness", advice="Hold it still and take it again. " * 3),
)


def lines_of(view: TerminalView, *, width: int = 80, height: int = 24) -> list[str]:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(render(view, 100.0, height=height, keys="space capture · q quit"))
    return console.export_text().splitlines()


def many_captures() -> TerminalView:
    view = TerminalView(device_id="pi-ward-3", model_digest="1a2b3c4d5e")
    for number in range(1, 41):
        view.apply(accepted(str(number), number), 90.0)
        view.apply(answered(str(number)), 91.0)
    return view


def test_fits_a_pi_console() -> None:
    lines = lines_of(many_captures())
    assert len(lines) < 24
    assert max(map(len, lines)) <= 80
    assert DISCLAIMER in lines[0]
    newest = next(line for line in lines if "#40" in line)
    assert newest.split() == ["#40", "answered", "nv", "0.81", "routine", "mel", "0.63", "refer", "1.4", "s"]
    assert not any("#1 " in line for line in lines), "the oldest make room"


@pytest.mark.parametrize("width", [40, 80, 132])
def test_fits_on_a_bad_day(width: int) -> None:
    view = many_captures()
    for event in BAD_DAY:
        view.apply(event, 95.0)
    lines = lines_of(view, width=width)
    assert max(map(len, lines)) <= width
    assert any("Hold it still" in line for line in lines)
    if width >= 80:
        assert len(lines) < 24, "\n".join(lines)
        assert DISCLAIMER in lines[0]


def test_empty_says_so() -> None:
    assert any("no captures" in line for line in lines_of(TerminalView()))


def test_live_table_is_drawn_and_given_back() -> None:
    output = io.StringIO()
    console = Console(file=output, width=80, height=24, force_terminal=True)
    terminal: Display = Terminal(TerminalView(device_id="pi"), console=console)
    terminal.start()
    terminal.show(accepted("a", 7))
    wait_until(lambda: "#7" in output.getvalue(), what="the capture drawn")
    terminal.stop()
    assert output.getvalue().rstrip().endswith("\x1b[?25h"), "the cursor is visible again"


def test_plain_log_is_one_line_an_event() -> None:
    stream = io.StringIO()
    display: Display = PlainLog(TerminalView(device_id="pi"), stream=stream)
    display.start()
    shown = (accepted("a", 7), happened.CaptureProgressed(capture_id="a", parts_sent=1, parts=3), answered("a"))
    rest = (
        happened.CaptureStored(capture_id="a"),
        happened.CaptureRejected(capture_id="b", reason="wrong-hash", detail="x\ny"),
        happened.LinkChanged(connected=True, detail="connected"),
        happened.ConfigApplied(version=3),
    )
    for event in (*shown, *rest, *BAD_DAY):
        display.show(event)
    display.stop()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2 + len(shown) + len(rest) + len(BAD_DAY)
    assert lines[1] == f"capture #7 captured: camera:0, 84 kB, preliminary nv 0.81 routine ({DISCLAIMER})"
    assert lines[3] == f"capture #7 answered: mel 0.63 refer in 1.4 s ({DISCLAIMER})"
    assert DISCLAIMER in lines[0]


class HungUp(io.StringIO):
    def write(self, _text: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise BrokenPipeError


@pytest.mark.parametrize("make", ["plain", "live"])
def test_a_reader_that_hung_up_harms_nobody(make: str) -> None:
    view = TerminalView(device_id="pi")
    console = AgentConsole(file=HungUp(), width=80, height=24, force_terminal=True)
    display: Display = PlainLog(view, stream=HungUp()) if make == "plain" else Terminal(view, console=console)
    display.start()
    display.show(accepted("a", 7))
    display.stop()
    assert view.counts["captured"] == 1


class TestKeyboard:
    @pytest.fixture
    def keys(self) -> list[str]:
        return []

    @pytest.fixture
    def terminal(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
        ours, theirs = pty.openpty()
        # The test's process is not in front of this terminal: that check has a test of its own below.
        monkeypatch.setattr(os, "tcgetpgrp", lambda _fd: os.getpgrp())
        yield ours, theirs
        os.close(ours)
        os.close(theirs)

    def test_presses(self, terminal: tuple[int, int], keys: list[str]) -> None:
        ours, theirs = terminal
        with os.fdopen(os.dup(theirs)) as stream:
            keyboard = Keyboard({" ": lambda: keys.append("space"), "q": lambda: keys.append("q")}, stream=stream)
            keyboard.start()
            os.write(ours, b" x")
            wait_until(lambda: keys == ["space"], what="space")
            os.write(ours, b"q")
            wait_until(lambda: keys == ["space", "q"], what="q")
            keyboard.stop()
            assert not keyboard.is_active

    def test_a_failing_action_leaves_the_keyboard_alive(self, terminal: tuple[int, int], keys: list[str]) -> None:
        ours, theirs = terminal
        with os.fdopen(os.dup(theirs)) as stream:
            keyboard = Keyboard({"f": lambda: keys.remove("absent"), "q": lambda: keys.append("q")}, stream=stream)
            keyboard.start()
            os.write(ours, b"fq")
            wait_until(lambda: keys == ["q"], what="q after the failure")
            keyboard.stop()

    @pytest.mark.parametrize("stream", [io.StringIO(), io.TextIOWrapper(io.BytesIO())])
    def test_no_terminal_no_keys(self, stream: io.StringIO) -> None:
        keyboard = Keyboard({}, stream=stream)
        keyboard.start()
        assert not keyboard.is_active
        keyboard.stop()

    def test_a_background_job_reads_nothing(self) -> None:
        ours, theirs = pty.openpty()
        with os.fdopen(theirs) as stream, os.fdopen(ours):
            keyboard = Keyboard({}, stream=stream)
            keyboard.start()
            assert not keyboard.is_active
