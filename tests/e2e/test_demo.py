"""The demo as a newcomer runs it: counts that are right, an exit code that means it, nothing left behind."""

import json
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from digiscope_cloud.local.processes import command_path
from tests.support.running import still_running
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(300)


def demo(tmp_path: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start a demo that keeps its files, and finds no samples, under `tmp_path`."""
    (tmp_path / "t").mkdir()
    return subprocess.Popen(
        [command_path("digiscope-cloud"), "local", "demo", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env={"PATH": "/usr/bin:/bin:/usr/sbin", "TMPDIR": str(tmp_path / "t"), "COLUMNS": "80", "HOME": str(tmp_path)},
        text=True,
    )


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return list(psutil.Process(process.pid).children(recursive=True))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from digiscope_cloud.local.images import drawn  # noqa: PLC0415 OpenCV, only where it is needed

    folder = tmp_path_factory.mktemp("images")
    drawn(6, folder)
    return folder


def test_six_images_are_answered_once_each_and_nothing_is_left(tmp_path: Path, images: Path) -> None:
    process = demo(tmp_path, "--images", str(images), "--count", "6", "--json")
    stdout, stderr = process.communicate(timeout=200)
    assert process.returncode == 0, stdout + stderr
    assert "6 captured, 6 stored, 6 answered, 0 lost, 0 twice" in stdout
    assert "research use only, not a diagnosis" in stdout
    account = json.loads(stdout.splitlines()[-1])
    assert account["passed"] is True
    assert account["latency_p99_s"] < 60
    assert list((tmp_path / "t").glob("digiscope-*")) == []


def test_an_image_that_is_refused_is_shown_and_counted(tmp_path: Path, images: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "good.jpg").write_bytes((images / "phantom-00000.jpg").read_bytes())
    (folder / "torn.jpg").write_bytes((images / "phantom-00001.jpg").read_bytes()[:2000])
    process = demo(tmp_path, "--images", str(folder), "--json")
    stdout, stderr = process.communicate(timeout=200)
    assert process.returncode == 0, stdout + stderr
    account = json.loads(stdout.splitlines()[-1])
    assert (account["captured"], account["refused"]) == (1, 1)
    assert "refused: file 2/2" in stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_stops_everything_it_started(tmp_path: Path, images: Path, number: signal.Signals) -> None:
    process = demo(tmp_path, "--images", str(images))
    wait_until(lambda: len(family(process)) >= 4, timeout_s=60, what="servers and cloud processes run")
    started = family(process)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "interrupted; everything that was started is stopped" in stderr
    assert still_running(started) == []
