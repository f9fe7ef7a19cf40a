import time
import urllib.request
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from digiscope_edge.adapters.mjpeg_screen import MjpegScreen
from digiscope_edge.frame_reader import FrameReader
from digiscope_edge.ports import FrameBgr
from digiscope_edge.preview_command import paint_all
from digiscope_edge.preview_painter import SIDE_PX, Floats, PreviewPainter
from digiscope_shared.imaging.phantoms import PhantomLesion, draw_lesion, draw_phantom
from digiscope_shared.imaging.quality import ADVICE, QualityCode, QualityThresholds
from digiscope_shared.litert.segmenter import LiteRtSegmenter
from digiscope_shared.segmenter_bundle import DEFAULT_BUNDLE, load_segmenter


@dataclass
class FakeSegmentation:
    probabilities: Floats


class FakeSegmenter:
    """Finds a lesion in the middle, or none."""

    def __init__(self, *, found: bool = True) -> None:
        self._found = found

    def segment(self, _image_bgr: FrameBgr, /) -> FakeSegmentation:
        probabilities = np.zeros((96, 128), np.float32)
        probabilities[30:66, 40:88] = self._found
        return FakeSegmentation(probabilities)


def test_outline_is_green_when_fit_and_amber_with_advice() -> None:
    frame_bgr = draw_phantom(1, hairs=0)
    fit = PreviewPainter(FakeSegmenter(), QualityThresholds()).paint(frame_bgr)
    poor = PreviewPainter(FakeSegmenter(), QualityThresholds(min_side_px=2000)).paint(frame_bgr)
    assert (fit.advice, poor.advice) == ((), (ADVICE[QualityCode.RESOLUTION],))
    on_outline = np.s_[141, 250]
    assert fit.picture_bgr[on_outline][1] > 200 > fit.picture_bgr[on_outline][2]
    assert poor.picture_bgr[on_outline][2] > 200 > poor.picture_bgr[on_outline][0]


def test_no_lesion_is_said_and_nothing_outlined() -> None:
    preview = PreviewPainter(FakeSegmenter(found=False), QualityThresholds()).paint(draw_phantom(1, hairs=0))
    assert preview.advice == (ADVICE[QualityCode.NO_LESION],)
    np.testing.assert_array_equal(preview.picture_bgr[:400], draw_phantom(1, hairs=0)[:400])


def test_large_frames_are_shown_small() -> None:
    frame_bgr = draw_lesion(PhantomLesion(centre_xy=(960.0, 540.0), semi_axes=(300.0, 300.0)), width=1920, height=1080)
    preview = PreviewPainter(FakeSegmenter(), QualityThresholds()).paint(frame_bgr.image_bgr)
    assert max(preview.picture_bgr.shape) == SIDE_PX


def test_fifteen_frames_a_second_on_one_core() -> None:
    painter = PreviewPainter(LiteRtSegmenter(load_segmenter(DEFAULT_BUNDLE)), QualityThresholds())
    frame_bgr = draw_phantom(1, width=1280, height=720)
    painter.paint(frame_bgr)
    began_s = time.process_time()
    for _ in range(10):
        cv2.imencode(".jpg", painter.paint(frame_bgr).picture_bgr)
    # CPU time, all threads: other processes on the machine don't count.
    assert (time.process_time() - began_s) / 10 < 1 / 15


def read_picture(answer: Any) -> bytes:
    length = 0
    while (line := answer.readline()) != b"\r\n":
        if line.startswith(b"Content-Length: "):
            length = int(line.split()[1])
    picture = answer.read(length)
    answer.readline()
    return bytes(picture)


def test_a_browser_gets_the_newest_picture() -> None:
    screen = MjpegScreen("127.0.0.1", 0)
    try:
        screen.show(b"missed")
        screen.show(b"first")
        with urllib.request.urlopen(screen.url, timeout=5) as answer:  # noqa: S310 - our own server
            assert answer.headers["Content-Type"].startswith("multipart/x-mixed-replace")
            assert read_picture(answer) == b"first"
            screen.show(b"second")
            assert read_picture(answer) == b"second"
    finally:
        screen.close()


class DrawnCamera:
    """A camera that shows one drawn lesion, and ends."""

    name = "drawn"

    def __init__(self, frames: int) -> None:
        self._left = frames

    def open(self) -> None: ...

    def close(self) -> None: ...

    def read(self) -> FrameBgr | None:
        self._left -= 1
        return draw_phantom(1) if self._left >= 0 else None


def test_frames_are_painted_until_the_camera_ends() -> None:
    shown: list[bytes] = []
    reader = FrameReader(DrawnCamera(5), clock=time.monotonic)
    reader.start()
    status = paint_all(reader, PreviewPainter(FakeSegmenter(), QualityThresholds()), shown.append)
    assert status == 0
    assert all(jpeg.startswith(b"\xff\xd8") for jpeg in shown)
