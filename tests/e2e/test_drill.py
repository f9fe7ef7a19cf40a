"""A short version of each fault: the same kit that users run, hurried, with few captures."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from digiscope_cloud.drill.faults import FAULTS

# A few runs, so that a failure names its kind and no run comes near the timeout.
KINDS = {
    "death": [fault.name for fault in FAULTS if fault.name.startswith(("kill-", "power-"))],
    "hang": [fault.name for fault in FAULTS if fault.name.startswith("hang-")],
    "link": [fault.name for fault in FAULTS if fault.name.startswith("link-")],
    "device": ["disk-full", "disk-read-only", "clock-1970", "clock-2040"],
    "cloud": ["pubsub-away", "storage-503", "storage-resets"],
    "messages": ["repeats", "poison"],
}


def test_every_fault_is_drilled() -> None:
    assert sorted(sum(KINDS.values(), ["none"])) == sorted(fault.name for fault in FAULTS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_nothing_is_lost_and_nothing_answered_twice(kind: str) -> None:
    program = Path(sys.executable).parent / "digiscope-cloud"
    options = ["--captures", "60", "--devices", "2", "--hurry", "5", "--json", "--faults", ",".join(KINDS[kind])]
    possible = [fault.name for fault in FAULTS if fault.name in KINDS[kind] and fault.possible()]
    if not possible:
        pytest.skip("needs root and libfaketime")
    done = subprocess.run([program, "drill", *options], capture_output=True, text=True, check=False, timeout=170)
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads(done.stdout)
    assert sum(line["captures"] for line in verdict["lines"]) >= 60
    assert verdict["held_by_devices"] == 0
