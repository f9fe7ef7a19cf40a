"""A run's state on disk, replaced as a whole: a cut of the power leaves the old one or the new one."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from digiscope_shared.errors import SettingsError


@dataclass(slots=True, kw_only=True)
class Progress:
    """Where a run is: `step` counts batches within `epoch`; `history` has one row for each finished epoch."""

    epoch: int = 0
    step: int = 0
    total_steps: int = 0
    trained_s: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)


def save(path: Path, variables: Sequence[Any], progress: Progress) -> None:
    """Write variables (Keras or TensorFlow) and progress."""
    record = json.dumps(
        {name: getattr(progress, name) for name in ("epoch", "step", "total_steps", "trained_s", "history")}
    )
    draft = path.with_suffix(".draft.npz")
    arrays: dict[str, Any] = {f"v{number}": np.asarray(variable) for number, variable in enumerate(variables)}
    arrays["progress"] = np.array(record)
    with draft.open("wb") as file:
        np.savez(file, **arrays)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def load(path: Path, variables: Sequence[Any]) -> Progress | None:
    """Fill the variables and return the progress; None where there is no checkpoint.

    Raises:
        SettingsError: the checkpoint is of another network.
    """
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as stored:
        arrays = [stored[name] for name in stored.files if name != "progress"]
        if [array.shape for array in arrays] != [tuple(variable.shape) for variable in variables]:
            raise SettingsError(f"{path} is of another network: delete its folder, or give the config another id")
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)
        return Progress(**json.loads(str(stored["progress"])))
