"""TensorFlow serves nobody."""

import subprocess
import sys

FORBIDDEN = ("tensorflow", "keras", "sklearn", "torch", "paho")


def test_the_worker_imports_no_training_library() -> None:
    code = (
        "import sys, digiscope_cloud.worker.__main__, digiscope_cloud.worker.bootstrap\n"
        "from digiscope_cloud.worker.adapters.image_process import open_examine\n"
        "from digiscope_shared.model_input import InputSpec\n"
        "open_examine(InputSpec(height=28, width=28))\n"
        f"print([name for name in {FORBIDDEN!r} if name in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120)
    assert printed.stdout.strip() == "[]"
