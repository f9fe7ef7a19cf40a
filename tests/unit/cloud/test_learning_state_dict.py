"""A PyTorch state dict is read without PyTorch; what isn't one is refused and never run."""

import pickle
import sys
from collections import OrderedDict
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from digiscope_cloud.learning.torch_state_dict import read_state_dict

MAGIC = 0x1950A86A20F9469CFC6C


class FloatStorage:
    """Stands for PyTorch's class of that name: only the name is written."""


def _rebuild_tensor_v2(*arguments: object) -> None:
    """Stand for PyTorch's function of that name."""


class _Tensor:
    def __init__(self, shape: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> None:
        self._arguments: tuple[Any, ...] = (
            ("storage", FloatStorage, "0", "cpu", 6),
            offset,
            shape,
            strides,
            False,
            OrderedDict(),
        )

    def __reduce__(self) -> Any:
        return _rebuild_tensor_v2, self._arguments


class _Writer(pickle.Pickler):
    def persistent_id(self, obj: Any) -> Any:
        return obj if isinstance(obj, tuple) and obj[:1] == ("storage",) else None


@pytest.fixture
def torch_names(monkeypatch: pytest.MonkeyPatch) -> None:
    torch, utils = ModuleType("torch"), ModuleType("torch._utils")
    monkeypatch.setattr(torch, "FloatStorage", FloatStorage, raising=False)
    monkeypatch.setattr(utils, "_rebuild_tensor_v2", _rebuild_tensor_v2, raising=False)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    monkeypatch.setattr(FloatStorage, "__module__", "torch")
    monkeypatch.setattr(_rebuild_tensor_v2, "__module__", "torch._utils")


@pytest.mark.usefixtures("torch_names")
def test_transposed_weights_come_out_in_the_order_of_their_strides(tmp_path: Path) -> None:
    numbers = np.arange(6, dtype="<f4")
    tensors = {"plain": _Tensor((2, 3), (3, 1)), "turned": _Tensor((3, 2), (1, 3)), "tail": _Tensor((2,), (1,), 4)}
    with (tmp_path / "w.pth").open("wb") as file:
        for value in (MAGIC, 1001, {"little_endian": True}, OrderedDict(tensors), ["0"]):
            _Writer(file, protocol=2).dump(value)
        file.write(len(numbers).to_bytes(8, "little") + numbers.tobytes())
    state = read_state_dict(tmp_path / "w.pth")
    np.testing.assert_array_equal(state["plain"], numbers.reshape(2, 3))
    np.testing.assert_array_equal(state["turned"], numbers.reshape(2, 3).T)
    np.testing.assert_array_equal(state["tail"], [4, 5])


def test_a_file_that_would_run_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "evil.pth").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(pickle.UnpicklingError, match="no business"):
        read_state_dict(tmp_path / "evil.pth")


def test_another_pickle_is_not_a_state_dict(tmp_path: Path) -> None:
    (tmp_path / "other.pth").write_bytes(pickle.dumps(1))
    with pytest.raises(ValueError, match="not a PyTorch state dict"):
        read_state_dict(tmp_path / "other.pth")
