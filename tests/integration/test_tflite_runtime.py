"""The edge bundle on LiteRT's predecessor, which older boards have, in an environment of its own."""

import subprocess
from pathlib import Path
from shutil import which

import pytest

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "edge" / "src" / "digiscope_edge" / "bundles" / "prescreen"
# Its last release was built against numpy 1, which holds OpenCV at 4.11.
PACKAGES = ("tflite-runtime==2.14.0", "numpy<2", "opencv-python-headless<4.12", "msgspec", "pyyaml", "structlog")
PROGRAM = """
import sys
from pathlib import Path
from digiscope_shared.litert.classifier import Interpreter, LiteRtClassifier
from digiscope_shared.model_bundle import load_bundle

assert Interpreter.__module__.startswith("tflite_runtime"), Interpreter.__module__
LiteRtClassifier(load_bundle(Path(sys.argv[1]))).verify_golden()
print("golden outputs are right")
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_released_edge_bundle_gives_its_golden_outputs_on_tflite_runtime(tmp_path: Path) -> None:
    uv = which("uv") or str(ROOT / ".tools" / "bin" / "uv")
    if not Path(uv).exists():
        pytest.skip("needs uv to make an environment: make install")
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([uv, "venv", "--quiet", "--python", "3.11", str(tmp_path / "venv")], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", str(python), *PACKAGES], check=True)
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--python", str(python), "--no-deps", str(ROOT / "shared")], check=True
    )
    done = subprocess.run([str(python), "-c", PROGRAM, str(BUNDLE)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "golden outputs are right" in done.stdout
