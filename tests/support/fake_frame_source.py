"""FakeFrameSource: a camera in memory that a test can freeze, hang, unplug and plug in again."""

import itertools
import threading
from dataclasses import dataclass, field

import numpy as np

from digiscope_edge.ports import FrameBgr, SourceLostError


def moving_frame(number: int, *, width_px: int = 64, height_px: int = 48) -> FrameBgr:
    """Return a frame that differs from its neighbours everywhere."""
    return np.random.default_rng(number).integers(0, 256, (height_px, width_px, 3), dtype=np.uint8)


@dataclass(slots=True)
class FakeDevice:
    """The camera behind one or more sources. `frames_left` None: it never ends."""

    present: bool = True
    frozen: bool = False
    frames_left: int | None = None
    opened: int = 0
    closed: int = 0
    hanging: threading.Event = field(default_factory=threading.Event)
    # Set when a reader is really stuck in it.
    stuck: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def hang(self) -> None:
        self.released.clear()
        self.hanging.set()

    def release(self) -> None:
        self.hanging.clear()
        self.released.set()


class FakeFrameSource:
    """FrameSource on a FakeDevice, a frame each five milliseconds."""

    def __init__(self, device: FakeDevice) -> None:
        self._device = device
        self._is_open = False
        self._pause = threading.Event()

    @property
    def name(self) -> str:
        return "fake"

    def open(self) -> None:
        self._device.opened += 1
        if not self._device.present:
            raise SourceLostError("fake can't be opened: unplugged")
        self._is_open = True

    def read(self) -> FrameBgr | None:
        device = self._device
        if device.hanging.is_set():
            device.stuck.set()
            device.released.wait()
        self._pause.wait(0.005)
        if not self._is_open or not device.present:
            raise SourceLostError("fake is unplugged")
        if device.frames_left is not None:
            if device.frames_left == 0:
                return None
            device.frames_left -= 1
        return moving_frame(0 if device.frozen else next(device.numbers))

    def close(self) -> None:
        self._device.closed += self._is_open
        self._is_open = False
