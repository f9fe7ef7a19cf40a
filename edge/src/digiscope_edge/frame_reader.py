"""Reads one camera on a thread of its own and keeps the newest frame only, so that a hanging driver holds nobody up."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import structlog

from digiscope_edge.ports import FrameBgr, FrameSource, SourceLostError

log = structlog.get_logger()


class ReaderEnd(StrEnum):
    """Why a reader has no more frames to give."""

    LOST = "lost"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedFrame:
    """`number` counts from 1 within one opening; `read_at_s` is the reader's clock when `read` was called.

    Not when it returned: a frame that a stalled stream gives at last must not pass for one taken just now.
    """

    number: int
    read_at_s: float
    frame_bgr: FrameBgr


class FrameReader:
    """One opening of one source. A reader that hangs is abandoned: its thread closes its own source when it wakes."""

    def __init__(self, source: FrameSource, *, clock: Callable[[], float]) -> None:
        self._source = source
        self._clock = clock
        self._changed = threading.Condition()
        self._newest: TimedFrame | None = None
        self._stopping = False
        self._end: tuple[ReaderEnd, str] | None = None
        self._thread = threading.Thread(target=self._run, name=f"camera-reader-{source.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def end(self) -> tuple[ReaderEnd, str] | None:
        with self._changed:
            return self._end

    def wait_newer(self, number: int, timeout_s: float) -> TimedFrame | None:
        """Return the newest frame after `number`; None where none came in time or the reader has ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._end is not None or self._newest_number() > number, timeout_s)
            return self._newest if self._newest_number() > number else None

    def abandon(self) -> None:
        """Ask the thread to end, without waiting: it may be stuck in the driver."""
        with self._changed:
            self._stopping = True
            self._newest = None
            self._changed.notify_all()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    def _newest_number(self) -> int:
        return self._newest.number if self._newest is not None else 0

    def _run(self) -> None:
        try:
            self._source.open()
            end = self._read_to_end()
        except SourceLostError as error:
            end = (ReaderEnd.LOST, str(error))
        except Exception as error:  # a driver's surprise must end in a restart, not in a dead agent
            log.warning("camera_reader_failed", source=self._source.name, exc_info=True)
            end = (ReaderEnd.LOST, f"{type(error).__name__}: {error}")
        self._close()
        with self._changed:
            self._end = end
            self._changed.notify_all()

    def _read_to_end(self) -> tuple[ReaderEnd, str]:
        number = 0
        while not self._stopping:
            read_at_s = self._clock()
            frame_bgr = self._source.read()
            if frame_bgr is None:
                return ReaderEnd.ENDED, "the video has ended"
            number += 1
            self._keep(TimedFrame(number=number, read_at_s=read_at_s, frame_bgr=frame_bgr))
        return ReaderEnd.ENDED, "stopped"

    def _keep(self, frame: TimedFrame) -> None:
        with self._changed:
            if not self._stopping:
                self._newest = frame
                self._changed.notify_all()

    def _close(self) -> None:
        try:
            self._source.close()
        except Exception:  # the camera is given up anyway
            log.warning("camera_close_failed", source=self._source.name, exc_info=True)
