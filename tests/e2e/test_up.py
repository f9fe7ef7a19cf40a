"""`local up`: the same system until it is stopped, with images from a folder and no camera."""

import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from digiscope_cloud.local.account import read_journal
from digiscope_cloud.local.images import drawn
from digiscope_cloud.local.processes import command_path
from tests.support.running import still_running
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(300)


def test_up_answers_what_is_put_into_the_folder_until_ctrl_c(tmp_path: Path) -> None:
    run_dir, watched = tmp_path / "run", tmp_path / "watched"
    watched.mkdir()
    folders = ["--watch", str(watched), "--run-dir", str(run_dir)]
    process = subprocess.Popen(
        [command_path("digiscope-cloud"), "local", "up", "--camera", "", *folders],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"COLUMNS": "80"},
        text=True,
    )
    try:
        drawn(2, watched)
        journal = run_dir / "local-clinic.events.jsonl"
        wait_until(
            lambda: sum(line["event"] == "CaptureAnswered" for line in read_journal(journal)) == 2,
            timeout_s=120,
            what="two answers",
        )
        started = psutil.Process(process.pid).children(recursive=True)
    finally:
        process.send_signal(signal.SIGINT)
        stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 0, stdout
    assert "PUBSUB_EMULATOR_HOST=" in stdout
    assert still_running(started) == []
