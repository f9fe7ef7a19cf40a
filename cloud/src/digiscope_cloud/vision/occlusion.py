"""Which parts of a picture a class hangs on: cover one after the other and see what the model then says.

Zeiler and Fergus 2014, arXiv:1311.2901. It needs no gradients, so it works on the model that serves.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Probabilities = Callable[[Floats], Floats]

CELLS: Final = 12
# A patch covers that many cells a side: neighbours overlap, which makes the map smooth.
_PATCH_CELLS: Final = 3


def heat_map(probabilities: Probabilities, model_input: Floats, class_index: int) -> Floats:
    """Return CELLS × CELLS: how much probability of the class a patch around that cell carries, -1 to 1."""
    covered = np.stack([_cover(model_input, row, column) for row in range(CELLS) for column in range(CELLS)])
    whole = probabilities(model_input[None])[0, class_index]
    lost = whole - probabilities(covered)[:, class_index]
    return np.asarray(lost.reshape(CELLS, CELLS), dtype=np.float32)


def _cover(model_input: Floats, row: int, column: int) -> Floats:
    covered = model_input.copy()
    rows, columns = (_span(cell, side) for cell, side in zip((row, column), model_input.shape[:2], strict=True))
    covered[rows, columns] = _background(model_input)
    return covered


def _span(cell: int, side: int) -> slice:
    margin = (_PATCH_CELLS - 1) / 2
    start, end = (cell - margin) * side / CELLS, (cell + 1 + margin) * side / CELLS
    return slice(max(0, round(start)), min(side, round(end)))


def _background(model_input: Floats) -> Floats:
    """Return the median of the rim, which is skin as a rule: black would be a finding of its own."""
    rim = np.concatenate([model_input[0], model_input[-1], model_input[:, 0], model_input[:, -1]])
    return np.asarray(np.median(rim, axis=0), dtype=np.float32)
