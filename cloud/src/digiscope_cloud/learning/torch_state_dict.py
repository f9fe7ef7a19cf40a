"""Reads a PyTorch state dict of the format before zip files, without PyTorch and without running what it holds.

Layout, from PyTorch's `torch/serialization.py` (`_legacy_save`): five pickles (magic number, protocol, system,
state dict, storage keys), then for each key in order an eight-byte count and the numbers.
"""

import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, Final

import numpy as np

_MAGIC: Final = 0x1950A86A20F9469CFC6C
_DTYPES: Final[dict[str, np.dtype[Any]]] = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class _Storage:
    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self.numbers: np.ndarray[Any, Any] = np.empty(0, dtype)


class _Lazy:
    """A tensor whose numbers come later in the file."""

    def __init__(
        self, storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object
    ) -> None:
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides

    def array(self) -> np.ndarray[Any, Any]:
        # Weights that were ported from TensorFlow lie transposed: the strides tell.
        steps = [stride * self.storage.dtype.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(self.storage.numbers[self.offset :], self.shape, steps).copy()


class _Reader(pickle.Unpickler):
    """Knows the few names that a state dict needs and refuses all others."""

    def __init__(self, file: io.BufferedIOBase | io.BytesIO) -> None:
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in _DTYPES:
            return name
        known = {("collections", "OrderedDict"): OrderedDict, ("torch._utils", "_rebuild_tensor_v2"): _Lazy}
        try:
            return known[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"a state dict has no business with {module}.{name}") from None

    def persistent_load(self, pid: Any) -> Any:
        _, kind, key, *_ = pid
        return self.storages.setdefault(key, _Storage(_DTYPES[kind]))


def read_state_dict(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Return name to array.

    Raises:
        ValueError: not such a file.
    """
    with path.open("rb") as file:
        if _Reader(file).load() != _MAGIC:
            raise ValueError(f"{path}: not a PyTorch state dict")
        _Reader(file).load()
        _Reader(file).load()
        reader = _Reader(file)
        tensors = reader.load()
        for key in _Reader(file).load():
            storage = reader.storages[key]
            count = int.from_bytes(file.read(8), "little")
            storage.numbers = np.frombuffer(file.read(count * storage.dtype.itemsize), storage.dtype)
    return {name: tensor.array() for name, tensor in tensors.items()}
