"""FrameSource on OpenCV: a local camera, a network stream (MJPEG, RTSP) or a video file."""

import os
import threading
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

import cv2

from digiscope_edge.camera_settings import CameraSettings
from digiscope_edge.ports import FrameBgr, SourceLostError

STREAM_SCHEMES: Final = frozenset({"http", "https", "rtsp", "rtsps"})
DEFAULT_FPS: Final = 25.0
# A broken header may claim thousands of frames a second, or none.
MAX_FPS: Final = 240.0


def is_stream(source: str) -> bool:
    return urlsplit(source).scheme.lower() in STREAM_SCHEMES


def is_video_file(source: str) -> bool:
    return not source.isdecimal() and not is_stream(source)


def source_name(source: str) -> str:
    """Return what logs, `state` and the terminal may show: no user, password or token of a URL."""
    if source.isdecimal():
        return f"camera:{source}"
    if is_stream(source):
        url = urlsplit(source)
        return f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"
    return f"video:{os.path.basename(source)}"  # noqa: PTH119 a name to show, never opened


def jpeg_encoder(quality: int) -> Callable[[FrameBgr], bytes]:
    """Return a function from frame to JPEG bytes; quality 0 to 100."""

    def encode(frame_bgr: FrameBgr) -> bytes:
        done, content = cv2.imencode(".jpg", frame_bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
        assert done, "OpenCV encodes every 8-bit frame"
        return bytes(content)

    return encode


class OpencvCamera:
    """One opening of one source. `read` may hang where the backend has no timeout: call it on a thread of its own."""

    def __init__(self, settings: CameraSettings, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._capture: cv2.VideoCapture | None = None
        self._held_bgr: FrameBgr | None = None
        self._frame_s = 0.0
        self._next_frame_at_s = 0.0
        self._closed = threading.Event()

    @property
    def name(self) -> str:
        return source_name(self._settings.source)

    def open(self) -> None:
        self.close()
        self._closed.clear()
        _silence_native_logs()
        try:
            capture = self._open_capture()
        except cv2.error as error:
            raise SourceLostError(f"{self.name} can't be opened: {_first_line(error)}") from error
        if not capture.isOpened():
            capture.release()
            raise SourceLostError(f"{self.name} can't be opened: {self._hint()}")
        self._capture = capture
        if is_video_file(self._settings.source):
            fps = capture.get(cv2.CAP_PROP_FPS)
            self._frame_s = 1.0 / (fps if 0 < fps <= MAX_FPS else DEFAULT_FPS)
            self._next_frame_at_s = self._clock()

    def read(self) -> FrameBgr | None:
        if self._capture is None:
            raise SourceLostError(f"{self.name} is not open")
        if not is_stream(self._settings.source):
            self._wait_for_video_time()
            return self._read_one(self._capture)
        # A connection cut within a frame: FFmpeg fills the missing part from the frame before, and says nothing.
        # So a stream's frame is whole only once the next one has begun to come.
        held_bgr = self._held_bgr if self._held_bgr is not None else self._read_one(self._capture)
        self._held_bgr = None
        self._held_bgr = self._read_one(self._capture)
        return held_bgr

    def close(self) -> None:
        self._closed.set()
        self._held_bgr = None
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.release()

    def _read_one(self, capture: cv2.VideoCapture) -> FrameBgr | None:
        try:
            done, frame_bgr = capture.read()
        except cv2.error as error:
            raise SourceLostError(f"{self.name} failed: {_first_line(error)}") from error
        if done and frame_bgr is not None:
            frame: FrameBgr = frame_bgr
            return frame
        if is_video_file(self._settings.source):
            return None
        raise SourceLostError(f"{self.name} gives no more frames")

    def _open_capture(self) -> cv2.VideoCapture:
        source = self._settings.source
        if source.isdecimal():
            # One buffered frame: the default of four shows the past. V4L2 ignores timeouts, hence the reader's thread.
            wanted = [(cv2.CAP_PROP_BUFFERSIZE, 1), *self._wanted_size()]
            capture = cv2.VideoCapture(int(source), cv2.CAP_ANY)
            for key, value in wanted if capture.isOpened() else []:
                capture.set(key, value)
            return capture
        return cv2.VideoCapture(source, cv2.CAP_FFMPEG, self._timeouts() if is_stream(source) else [])

    def _wanted_size(self) -> list[tuple[int, int]]:
        width_px, height_px = self._settings.width_px, self._settings.height_px
        size = [(cv2.CAP_PROP_FRAME_WIDTH, width_px), (cv2.CAP_PROP_FRAME_HEIGHT, height_px)]
        return [(key, value) for key, value in size if value]

    def _timeouts(self) -> list[int]:
        return [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            int(self._settings.open_timeout_s * 1000),
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            int(self._settings.read_timeout_s * 1000),
        ]

    def _hint(self) -> str:
        source = self._settings.source
        if source.isdecimal():
            return f"is it plugged in, and may this user read /dev/video{source} (group video)?"
        return "is the stream's app running and the address right?" if is_stream(source) else "no such video file?"

    def _wait_for_video_time(self) -> None:
        """Play a video file at its own speed, as a camera would."""
        if self._frame_s:
            self._closed.wait(max(0.0, self._next_frame_at_s - self._clock()))
            self._next_frame_at_s = max(self._next_frame_at_s + self._frame_s, self._clock())


def _first_line(error: cv2.error) -> str:
    return str(error).partition("\n")[0]


def _silence_native_logs() -> None:
    """FFmpeg and OpenCV write to file descriptor 2 themselves, across the terminal's table."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
