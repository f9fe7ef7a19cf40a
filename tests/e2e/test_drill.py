"""A short version of each fault: the kit that users run, hurried and without a pause between faults."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from digiscope_cloud.drill.faults import FAULTS

DEADLINE_S = 540


@pytest.mark.slow
@pytest.mark.timeout(DEADLINE_S + 30)
def test_nothing_is_lost_and_nothing_answered_twice_through_all_faults() -> None:
    program = Path(sys.executable).parent / "digiscope-cloud"
    names = ",".join(fault.name for fault in FAULTS)
    options = ["--captures", "92", "--devices", "3", "--hurry", "6", "--pressing", "--json", "--faults", names]
    done = subprocess.run([program, "drill", *options], capture_output=True, text=True, check=False, timeout=DEADLINE_S)
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads(done.stdout)
    drilled = {line["fault"] for line in verdict["lines"]}
    assert drilled == {fault.name for fault in FAULTS if fault.possible()}
    assert sum(line["captures"] for line in verdict["lines"]) >= 92 * len(drilled) // len(FAULTS)
    assert verdict["held_by_devices"] == 0
