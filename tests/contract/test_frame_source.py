"""What every FrameSource promises, on the fake and on OpenCV with a video file and an MJPEG stream."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from digiscope_edge.adapters.opencv_camera import OpencvCamera, source_name
from digiscope_edge.camera_settings import CameraSettings
from digiscope_edge.ports import FrameSource, SourceLostError
from tests.support.fake_frame_source import FakeDevice, FakeFrameSource, moving_frame
from tests.support.mjpeg_server import MjpegServer

FRAMES = 10


@dataclass(slots=True)
class Case:
    source: FrameSource
    absent: FrameSource
    # Takes a live camera away; None where the source is a file, which ends instead.
    unplug: Callable[[], None] | None


def write_video(path: Path) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 100.0, (64, 48))
    assert writer.isOpened()
    for number in range(FRAMES):
        writer.write(moving_frame(number))
    writer.release()


def drain(source: FrameSource) -> None:
    """Read what is still buffered, and on."""
    for _ in range(1000):
        source.read()


@pytest.fixture(params=["fake", "opencv-video", "opencv-mjpeg"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    if request.param == "fake":
        device = FakeDevice()
        absent = FakeFrameSource(FakeDevice(present=False))
        yield Case(FakeFrameSource(device), absent, lambda: setattr(device, "present", False))
    elif request.param == "opencv-video":
        write_video(tmp_path / "lesion.avi")
        absent_file = CameraSettings(source=str(tmp_path / "nothing.avi"))
        yield Case(OpencvCamera(CameraSettings(source=str(tmp_path / "lesion.avi"))), OpencvCamera(absent_file), None)
    else:
        with MjpegServer() as server:
            absent_stream = CameraSettings(source="http://127.0.0.1:9/video", open_timeout_s=2)
            live = CameraSettings(source=server.url, open_timeout_s=5, read_timeout_s=2)
            yield Case(OpencvCamera(live), OpencvCamera(absent_stream), server.die)


def test_gives_frames(case: Case) -> None:
    case.source.open()
    frames = [case.source.read() for _ in range(3)]
    case.source.close()
    for frame_bgr in frames:
        assert frame_bgr is not None
        assert frame_bgr.shape == (48, 64, 3)
        assert frame_bgr.dtype == np.uint8
    first, second, _ = frames
    assert first is not None
    assert second is not None
    assert not np.array_equal(first, second)


def test_nothing_to_open_is_lost(case: Case) -> None:
    with pytest.raises(SourceLostError, match="opened"):
        case.absent.open()


def test_read_before_open_is_lost(case: Case) -> None:
    with pytest.raises(SourceLostError):
        case.source.read()


def test_close_twice_and_open_again(case: Case) -> None:
    for _ in range(2):
        case.source.open()
        assert case.source.read() is not None
        case.source.close()
        case.source.close()
    with pytest.raises(SourceLostError):
        case.source.read()


def test_a_camera_that_goes_is_lost_a_video_ends(case: Case) -> None:
    case.source.open()
    assert case.source.read() is not None
    if case.unplug is None:
        frames = [case.source.read() for _ in range(FRAMES)]
        assert frames[-1] is None
        assert all(frame_bgr is not None for frame_bgr in frames[:-1])
    else:
        case.unplug()
        with pytest.raises(SourceLostError):
            drain(case.source)
    case.source.close()


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("0", "camera:0"),
        ("http://nurse:secret@10.0.0.7:8080/video?token=abc", "http://10.0.0.7:8080/video"),
        ("rtsp://10.0.0.7/stream", "rtsp://10.0.0.7/stream"),
        ("/home/nurse/lesion.avi", "video:lesion.avi"),
    ],
)
def test_names_tell_no_secret(source: str, name: str) -> None:
    assert source_name(source) == name
