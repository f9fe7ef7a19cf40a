"""CPU time by process, children included."""

from collections.abc import Mapping
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuTimes:
    """User and system seconds of a process, and of its children that live."""

    own_s: float
    children_s: float

    @property
    def total_s(self) -> float:
        return self.own_s + self.children_s

    def since(self, earlier: "CpuTimes") -> "CpuTimes":
        return CpuTimes(own_s=self.own_s - earlier.own_s, children_s=self.children_s - earlier.children_s)


def read(pids: Mapping[str, int]) -> dict[str, CpuTimes]:
    """Read each named process."""
    return {name: _read_one(psutil.Process(pid)) for name, pid in pids.items()}


def _read_one(process: psutil.Process) -> CpuTimes:
    return CpuTimes(
        own_s=_seconds(process), children_s=sum(_seconds(child) for child in process.children(recursive=True))
    )


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)
