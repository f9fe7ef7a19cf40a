"""The camera loop on OpenCV and a real MJPEG stream that freezes, falls silent, dies and comes back."""

import contextlib
from collections.abc import Iterator

import numpy as np
import pytest

from digiscope_edge.adapters.opencv_camera import OpencvCamera
from digiscope_edge.camera_bootstrap import camera_loop
from digiscope_edge.camera_loop import CameraLoop
from digiscope_edge.camera_settings import CameraSettings
from digiscope_edge.ports import FrameBgr, SourceImage, SourceLostError
from tests.support.mjpeg_server import MjpegServer
from tests.support.waiting import wait_until


@pytest.fixture
def server() -> Iterator[MjpegServer]:
    with MjpegServer() as running:
        yield running


@pytest.fixture
def images() -> list[SourceImage]:
    return []


@pytest.fixture
def loop(server: MjpegServer, images: list[SourceImage]) -> Iterator[CameraLoop]:
    settings = CameraSettings(
        source=server.url,
        open_timeout_s=2,
        read_timeout_s=1,
        frozen_after_s=1.5,
        restart_base_s=0.1,
        restart_cap_s=0.5,
    )
    running = camera_loop(settings, on_image=images.append, on_event=lambda _event: None)
    running.start()
    yield running
    running.stop()


def wait_for_state(loop: CameraLoop, state: str) -> None:
    wait_until(lambda: loop.health.state == state, timeout_s=20, what=f"camera {state}, is {loop.health}")


def test_dies_and_comes_back(loop: CameraLoop, server: MjpegServer, images: list[SourceImage]) -> None:
    wait_for_state(loop, "ok")
    server.die()
    wait_for_state(loop, "gone")
    wait_until(lambda: loop.health.restarts >= 2, what="restarts at a pace")
    server.come_back()
    wait_for_state(loop, "ok")
    loop.request_capture()
    wait_until(lambda: images, what="a capture after the return")


def test_frozen_picture_is_seen(loop: CameraLoop, server: MjpegServer, images: list[SourceImage]) -> None:
    wait_for_state(loop, "ok")
    server.freeze()
    wait_for_state(loop, "frozen")
    wait_until(lambda: server.connections >= 2, what="an attempt to mend it by opening anew")
    assert images == []
    server.thaw()
    wait_for_state(loop, "ok")


def test_a_frame_cut_in_half_is_never_given() -> None:
    def plain(number: int) -> FrameBgr:
        return np.full((240, 320, 3), 40 + number * 25 % 200, dtype=np.uint8)

    with MjpegServer(draw=plain) as server:
        camera = OpencvCamera(CameraSettings(source=server.url, open_timeout_s=2, read_timeout_s=1))
        camera.open()
        frames = [camera.read() for _ in range(3)]
        server.cut_in_a_frame()
        with contextlib.suppress(SourceLostError):
            while len(frames) < 1000:
                frames.append(camera.read())
        camera.close()
    assert len(frames) > 3
    for frame_bgr in frames:
        assert frame_bgr is not None
        assert np.ptp(frame_bgr) <= 2, "two frames in one"


def test_silent_stream_ends_in_a_restart(loop: CameraLoop, server: MjpegServer) -> None:
    wait_for_state(loop, "ok")
    server.fall_silent()
    wait_until(lambda: loop.health.state in ("gone", "frozen"), what="silence noticed")
    server.speak()
    wait_for_state(loop, "ok")
    assert loop.health.restarts >= 1
