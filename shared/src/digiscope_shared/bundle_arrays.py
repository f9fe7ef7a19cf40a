"""Reading a bundle's arrays: what a damaged `.npz` can say is answered with one error, and bounded."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from digiscope_shared.errors import PermanentError, Reason

# Ours unfold to a third of a megabyte.
MAX_BYTES: Final = 16 * 1024**2


def read_arrays(content: bytes, path: Path, shapes: Mapping[str, tuple[int | None, ...]]) -> list[Any]:
    """Return the arrays that `shapes` names, in its order; None in a shape is any length but 0.

    Raises:
        PermanentError: `bad-bundle`: damaged, too large, an array is missing, of another shape, or holds no numbers.
    """
    try:
        _check_size(content)
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            arrays = [stored[name] for name in shapes]
    except Exception as error:
        # numpy and zipfile raise a dozen types at damage, down to the tokenizer's.
        raise PermanentError(Reason.BAD_BUNDLE, f"{path}: not the arrays that it should hold: {error}") from error
    for array, (name, shape) in zip(arrays, shapes.items(), strict=True):
        _check(array, shape, f"{path}: {name}")
    return arrays


def _check_size(content: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        unfolded_bytes = sum(member.file_size for member in archive.infolist())
    if unfolded_bytes > MAX_BYTES:
        raise ValueError(f"{unfolded_bytes} bytes, at most {MAX_BYTES}")


def _check(array: Any, shape: tuple[int | None, ...], place: str) -> None:
    if array.dtype.kind not in "uif" or not np.isfinite(array).all():
        raise PermanentError(Reason.BAD_BUNDLE, f"{place} holds something else than numbers")
    fits = len(array.shape) == len(shape) and all(
        length == wanted if wanted is not None else length > 0
        for length, wanted in zip(array.shape, shape, strict=True)
    )
    if not fits:
        raise PermanentError(Reason.BAD_BUNDLE, f"{place} has the shape {array.shape}")
