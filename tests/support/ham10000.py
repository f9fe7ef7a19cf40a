"""Where HAM10000 is on this machine; it is never part of the project."""

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).parents[2].parent / "shared" / "data" / "ham10000"


def ham10000_folder() -> Path:
    """Return the folder, or skip the test with the reason."""
    folder = Path(os.environ.get("DIGISCOPE_DATA", _BESIDE))
    if not (folder / "HAM10000_metadata.csv").is_file():
        pytest.skip(f"HAM10000 is not at {folder}; DIGISCOPE_DATA names another place")
    return folder
