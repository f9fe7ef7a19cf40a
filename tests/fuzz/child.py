"""One target in a process of its own: a decoder's crash or an endless loop ends that process, and is a fault."""

import multiprocessing
import os
import signal
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import cv2

from tests.fuzz.registry import TARGETS
from tests.fuzz.run import run
from tests.fuzz.tally import Tally
from tests.fuzz.target import Target
from tests.fuzz.trial import Trial, attempt

# Not fork: threads of the parent's libraries don't survive it.
_SPAWN: Final = multiprocessing.get_context("spawn")
_HANG_S: Final = 30
# A call into C that never returns hears no alarm.
_SILENCE_S: Final = 300


class HangError(BaseException):
    """An input takes longer than anything may; no `Exception`, so that no decoder's own net catches it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """`scratch` holds the input at hand, should the process die of it."""

    target: Target
    seed: int
    inputs: int
    scratch: Path

    def run(self) -> Tally:
        """Return what became of the inputs; the one at which the process died counts as a fault."""
        current = self.scratch / self.target.name
        receiving, sending = _SPAWN.Pipe(duplex=False)
        process = _SPAWN.Process(target=_work, args=(self.target.name, self.seed, self.inputs, current, sending))
        process.start()
        sending.close()
        tally, finished = Tally(), False
        try:
            while not finished and receiving.poll(_SILENCE_S):
                tally, finished = receiving.recv()
        except EOFError:
            # It died; how, its exit code tells.
            process.join()
        if not finished:
            process.kill()
        process.join()
        if not finished:
            content = current.read_bytes() if current.exists() else b""
            tally.faults[f"the process died: exit code {process.exitcode}"] = content
        return tally


def _work(name: str, seed: int, inputs: int, current: Path, sending: Connection) -> None:
    _quieten()
    # As every process of ours does: so that all of its time is seen, and two of them fit two cores.
    cv2.setNumThreads(1)
    signal.signal(signal.SIGALRM, _raise_hang)

    def watched(target: Target, content: bytes) -> Trial:
        current.write_bytes(content)
        signal.alarm(_HANG_S)
        try:
            return attempt(target, content)
        finally:
            signal.alarm(0)

    def tell(tally: Tally) -> None:
        sending.send((tally, False))

    sending.send((run(TARGETS[name], seed=seed, inputs=inputs, attempt=watched, progress=tell), True))


def _raise_hang(*_: Any) -> None:
    raise HangError(f"over {_HANG_S} s")


def _quieten() -> None:
    """Image libraries complain on standard error, logs go to standard output: thousands of lines, all of them meant."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
