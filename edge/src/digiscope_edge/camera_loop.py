"""Watches one camera: opens it at the watchdog's pace, asks the triggers, hands accepted frames on as JPEG.

It runs on a thread of its own beside the uplink, and the camera is read on yet another: a camera that breaks or
hangs stops neither. At most one decoded frame waits at any time.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
import structlog

from digiscope_edge.camera_settings import CameraSettings
from digiscope_edge.camera_watchdog import CameraState, CameraWatchdog
from digiscope_edge.events import CameraChanged, CaptureRefused, Event
from digiscope_edge.frame_reader import FrameReader, ReaderEnd, TimedFrame
from digiscope_edge.ports import FrameBgr, FrameSource, SourceImage
from digiscope_edge.trigger import AskedTrigger, SteadinessTrigger
from digiscope_shared.messages import CameraHealth

log = structlog.get_logger()

# Ten looks a second catch a hand at rest; the camera itself may run faster.
LOOK_EVERY_S: Final = 0.1
# Auto-exposure needs a few frames after an opening; the first ones are dark.
WARM_UP_FRAMES: Final = 3
# Threads stuck in a driver can't be killed. More of them wouldn't help.
MAX_STUCK_READERS: Final = 3
# Every eighth pixel each way is enough to tell a frozen picture: a live sensor's noise is everywhere.
SAMPLE_STEP: Final = 8


class CameraLoop:
    """`make_source` gives a new, closed source for each opening; `on_image` runs on the loop's thread."""

    def __init__(
        self,
        settings: CameraSettings,
        *,
        make_source: Callable[[], FrameSource],
        encode_jpeg: Callable[[FrameBgr], bytes],
        on_image: Callable[[SourceImage], None],
        on_event: Callable[[Event], None],
        watchdog: CameraWatchdog,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._make_source = make_source
        self._encode_jpeg = encode_jpeg
        self._on_image = on_image
        self._on_event = on_event
        self._watchdog = watchdog
        self._clock = clock
        self._steady = SteadinessTrigger(settings.steady)
        self._asked = AskedTrigger(settings.capture_timeout_s)
        self._name = make_source().name
        self._reader: FrameReader | None = None
        self._stuck: list[FrameReader] = []
        self._number = 0
        self._sample: FrameBgr | None = None
        self._ended = False
        self._wanted_at_s = clock()
        self._health = watchdog.health
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="camera-loop", daemon=True)

    def start(self) -> None:
        self._on_event(CameraChanged(health=self._health))
        self._thread.start()

    def stop(self, deadline_s: float = 2.0) -> bool:
        """Stop and return whether every thread ended in time; False where a reader hangs in its driver.

        A thread that comes back from OpenCV's C++ while Python shuts down aborts the process ("FATAL: exception not
        rethrown", https://github.com/python/cpython/issues/87135): after False, end with `os._exit`.
        """
        deadline_at_s = time.monotonic() + deadline_s
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(deadline_s)
        for reader in tuple(self._stuck):
            reader.join(max(0.0, deadline_at_s - time.monotonic()))
        return not self._thread.is_alive() and not any(reader.is_alive for reader in self._stuck)

    @property
    def health(self) -> CameraHealth:
        return self._health

    def request_capture(self) -> None:
        """Capture the next fresh frame; from any thread. Wakes a sleeping camera and replays an ended video."""
        with self._lock:
            self._wanted_at_s = self._clock()
            self._ended = False
            self._asked.ask(self._wanted_at_s)
        self._wake.set()

    def trigger_when_steady(self, *, wanted: bool | None) -> None:
        """Switch the steady trigger from now on; None is what the settings say. From any thread."""
        enabled = self._settings.steady.enabled if wanted is None else wanted
        with self._lock:
            if enabled != self._steady.settings.enabled:
                self._steady = SteadinessTrigger(replace(self._settings.steady, enabled=enabled))
                self._ended = False

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._turn()
            except Exception:  # the loop's outermost edge: a fault of one frame must not end the camera
                log.exception("camera_turn_failed")
                self._stopping.wait(LOOK_EVERY_S)
        self._drop_reader()

    def _turn(self) -> None:
        if not self._is_wanted():
            self._sleep()
        elif self._reader is None:
            self._open()
        else:
            self._look(self._reader)
        self._refuse_expired()
        self._report()
        self._wake.wait(LOOK_EVERY_S)
        self._wake.clear()

    def _is_wanted(self) -> bool:
        with self._lock:
            if self._asked.waiting:
                return True
            sleep_after_s = self._settings.sleep_after_s
            awake = self._steady.settings.enabled or not sleep_after_s
            return not self._ended and (awake or self._clock() - self._wanted_at_s < sleep_after_s)

    def _sleep(self) -> None:
        if self._reader is not None or self._watchdog.state is not CameraState.IDLE:
            self._drop_reader()
            self._watchdog.released("the video has ended" if self._ended else "asleep: nobody asked for frames")

    def _open(self) -> None:
        if not self._watchdog.may_open():
            return
        self._stuck = [reader for reader in self._stuck if reader.is_alive]
        if len(self._stuck) >= MAX_STUCK_READERS:
            self._watchdog.lost("the camera's driver hangs: unplug the camera, or restart the agent")
            return
        self._reader, self._number = FrameReader(self._make_source(), clock=self._clock), 0
        self._watchdog.opened()
        self._reader.start()

    def _look(self, reader: FrameReader) -> None:
        frame = reader.wait_newer(self._number, LOOK_EVERY_S)
        if frame is not None:
            self._number = frame.number
            if self._take(frame):
                return
        elif reader.end is not None:
            self._end(*reader.end)
            return
        if self._watchdog.stalled():
            self._drop_reader()

    def _end(self, end: ReaderEnd, detail: str) -> None:
        self._drop_reader()
        if end is ReaderEnd.LOST:
            self._watchdog.lost(detail)
            return
        with self._lock:
            self._ended = True
        self._watchdog.released(detail)

    def _take(self, frame: TimedFrame) -> bool:
        """Return whether the frame was fresh; capture it where a trigger says so."""
        if frame.number <= WARM_UP_FRAMES and self._watchdog.identical_is_frozen:
            return False
        sample = frame.frame_bgr[::SAMPLE_STEP, ::SAMPLE_STEP].copy()
        identical = self._sample is not None and np.array_equal(sample, self._sample)
        self._sample = sample
        if not self._watchdog.frame_seen(identical=identical):
            return False
        with self._lock:
            steady = self._steady.observe(frame.frame_bgr, frame.read_at_s)
            asked = self._asked.take(frame.read_at_s)
        if asked or steady:
            self._capture(frame, trigger="asked" if asked else "steady")
        return True

    def _capture(self, frame: TimedFrame, *, trigger: str) -> None:
        content = self._encode_jpeg(frame.frame_bgr)
        log.info("frame_captured", source=self._name, trigger=trigger, image_bytes=len(content))
        self._on_image(SourceImage(source=self._name, content=content))

    def _refuse_expired(self) -> None:
        with self._lock:
            expired = self._asked.expired(self._clock())
        if expired:
            reason = f"camera-{self._watchdog.state}"
            detail = self._watchdog.detail or "no fresh frame came in time"
            self._on_event(CaptureRefused(source=self._name, reason=reason, advice=f"Check the camera: {detail}"))

    def _report(self) -> None:
        health = self._watchdog.health
        if health != self._health:
            self._health = health
            log.info("camera_changed", state=health.state, detail=health.detail, restarts=health.restarts)
            self._on_event(CameraChanged(health=health))

    def _drop_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.abandon()
            self._stuck.append(reader)
