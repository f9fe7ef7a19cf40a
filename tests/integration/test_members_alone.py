"""Each member installs by itself and imports; a device gets neither TensorFlow nor Google Cloud, and stays small."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CHECKOUT = Path(__file__).parents[2]
DEVICE_LIMIT_BYTES = 300_000_000
# `google` is also protobuf's namespace, which LiteRT needs: 2 MB.
FORBIDDEN_ON_A_DEVICE = ("tensorflow", "keras", "google.cloud", "google.api_core", "google.auth", "grpc", "torch")
MEMBERS = {
    "shared": (["./shared"], "digiscope_shared.messages"),
    "shared-imaging": (["./shared[imaging,litert,mqtt]"], "digiscope_shared.litert.classifier"),
    "edge": (["./shared", "./edge"], "digiscope_edge.bootstrap"),
    "bridge": (["./shared", "./cloud[bridge]"], "digiscope_cloud.bridge.bootstrap"),
    "worker": (["./shared", "./cloud[worker]"], "digiscope_cloud.worker.bootstrap"),
    "fleet": (["./shared", "./cloud[fleet]"], "digiscope_cloud.fleet.__main__"),
}

FIND = """
import importlib.util, json
def found(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
print(json.dumps([name for name in {names!r} if found(name)]))
"""


def uv() -> str:
    beside = CHECKOUT / ".tools" / "bin" / "uv"
    found = shutil.which("uv") or (str(beside) if beside.is_file() else None)
    if found is None:
        pytest.skip("uv is not installed; `make test` installs it")
    return found


def install(member: str, into: Path) -> Path:
    """Return the Python of a fresh environment that holds this member alone."""
    requirements, _ = MEMBERS[member]
    subprocess.run([uv(), "venv", "--quiet", "--python", sys.executable, str(into)], check=True, cwd=CHECKOUT)
    python = into / "bin" / "python"
    command = [uv(), "pip", "install", "--quiet", "--python", str(python), "-c", "constraints.txt", *requirements]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return python


def run(python: Path, code: str) -> str:
    # As on a device: compiled files are written where the interpreter needs them.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [str(python), "-c", code], cwd=python.parent, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("member", [name for name in MEMBERS if name != "edge"])
def test_a_member_imports_alone(member: str, tmp_path: Path) -> None:
    run(install(member, tmp_path / "environment"), f"import {MEMBERS[member][1]}")


def test_a_device_is_small_and_has_neither_tensorflow_nor_google_cloud(tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    python = install("edge", environment)
    run(python, "import digiscope_edge.bootstrap, digiscope_edge.run_command, digiscope_edge.status_command")
    present = json.loads(run(python, FIND.format(names=FORBIDDEN_ON_A_DEVICE)))
    assert present == []
    used_bytes = sum(path.lstat().st_size for path in environment.rglob("*") if not path.is_symlink())
    assert used_bytes < DEVICE_LIMIT_BYTES, f"{used_bytes / 1e6:.0f} MB"
