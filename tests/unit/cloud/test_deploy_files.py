"""What `deploy/` ships is what the commands take."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from digiscope_cloud.bridge.settings import BridgeSettings
from digiscope_cloud.fleet.settings import FleetSettings
from digiscope_cloud.settings import CloudSettings
from digiscope_cloud.worker.settings import WorkerSettings
from digiscope_edge.settings import AgentSettings
from digiscope_shared import settings_file

DEPLOY = Path(__file__).parents[3] / "deploy"
SERVICE = (DEPLOY / "digiscope-edge.service").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("settings_type", "name"),
    [
        (CloudSettings, "cloud.yaml"),
        (WorkerSettings, "cloud.yaml"),
        (FleetSettings, "cloud.yaml"),
        (BridgeSettings, "bridge.yaml"),
        (AgentSettings, "edge.yaml"),
    ],
)
def test_a_template_is_what_its_command_takes(settings_type: type[Any], name: str) -> None:
    settings_file.load(settings_type, DEPLOY / name)


def test_the_unit_runs_the_agent_as_its_own_user_and_stays_down_where_a_person_has_to_act() -> None:
    for line in ("User=digiscope", "Type=notify", "Restart=always", "RestartPreventExitStatus=2", "WatchdogSec=90"):
        assert re.search(rf"^{re.escape(line)}$", SERVICE, re.MULTILINE), line


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "digiscope-edge.service"
    # It checks that the program is there.
    unit.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", SERVICE, flags=re.MULTILINE), encoding="utf-8")
    done = subprocess.run([analyze, "verify", str(unit)], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if unit.name in line]
    assert complaints == []
