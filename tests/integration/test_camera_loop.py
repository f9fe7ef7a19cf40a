"""The loop on a fake camera, with real threads and short times."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from digiscope_edge.camera_bootstrap import camera_loop
from digiscope_edge.camera_loop import MAX_STUCK_READERS, CameraLoop
from digiscope_edge.camera_settings import CameraSettings, SteadySettings
from digiscope_edge.events import CameraChanged, CaptureRefused, Event
from digiscope_edge.ports import SourceImage
from tests.support.fake_frame_source import FakeDevice, FakeFrameSource
from tests.support.waiting import wait_until

QUICK = CameraSettings(
    source="0", frozen_after_s=0.3, capture_timeout_s=5.0, restart_base_s=0.02, restart_cap_s=0.05, jpeg_quality=90
)


class Rig:
    """A loop on a fake device, and what came out of it."""

    def __init__(self, settings: CameraSettings = QUICK) -> None:
        self.device = FakeDevice()
        self.images: list[SourceImage] = []
        self.events: list[Event] = []
        self.on_image: Callable[[SourceImage], None] = self.images.append
        self.loop: CameraLoop = camera_loop(
            settings,
            on_image=self._hand_on,
            on_event=self.events.append,
            make_source=lambda: FakeFrameSource(self.device),
        )

    def _hand_on(self, image: SourceImage) -> None:
        self.on_image(image)

    def wait_for_state(self, state: str) -> None:
        wait_until(lambda: self.loop.health.state == state, what=f"camera {state}, is {self.loop.health}")

    def states(self) -> list[str]:
        return [event.health.state for event in self.events if isinstance(event, CameraChanged)]


@pytest.fixture
def start() -> Iterator[Callable[..., Rig]]:
    rigs: list[Rig] = []

    def start_rig(settings: CameraSettings = QUICK, prepare: Callable[[FakeDevice], None] | None = None) -> Rig:
        rig = Rig(settings)
        rigs.append(rig)
        if prepare is not None:
            prepare(rig.device)
        rig.loop.start()
        return rig

    yield start_rig
    for rig in rigs:
        rig.device.release()
        rig.loop.stop()


def test_a_key_captures_one_frame(start: Callable[..., Rig]) -> None:
    rig = start()
    rig.wait_for_state("ok")
    assert rig.images == [], "nobody asked"
    rig.loop.request_capture()
    wait_until(lambda: rig.images, what="a capture")
    assert rig.images[0].content.startswith(b"\xff\xd8"), "JPEG"
    assert rig.images[0].source == "fake"


def test_unplugged_and_back(start: Callable[..., Rig]) -> None:
    rig = start()
    rig.wait_for_state("ok")
    rig.device.present = False
    rig.wait_for_state("gone")
    wait_until(lambda: rig.loop.health.restarts >= 3, what="restarts")
    rig.device.present = True
    rig.wait_for_state("ok")
    rig.loop.request_capture()
    wait_until(lambda: rig.images, what="a capture after the return")


def test_frozen_is_seen_and_never_captured(start: Callable[..., Rig]) -> None:
    rig = start(replace(QUICK, capture_timeout_s=1.0))
    rig.wait_for_state("ok")
    rig.device.frozen = True
    rig.wait_for_state("frozen")
    rig.loop.request_capture()
    wait_until(lambda: any(isinstance(event, CaptureRefused) for event in rig.events), what="a visible refusal")
    assert rig.images == [], "the frozen picture may show the patient before"
    rig.device.frozen = False
    rig.wait_for_state("ok")


def test_a_hanging_driver_is_left_behind(start: Callable[..., Rig]) -> None:
    rig = start()
    rig.wait_for_state("ok")
    rig.device.hang()
    rig.wait_for_state("gone")
    wait_until(lambda: "hangs" in rig.loop.health.detail, what="hanging readers counted")
    assert rig.device.opened == MAX_STUCK_READERS, "no more threads than that"
    rig.device.release()
    rig.wait_for_state("ok")
    wait_until(lambda: rig.device.closed == MAX_STUCK_READERS, what="each hanging reader closed its own source")


def test_stop_tells_whether_a_reader_hangs(start: Callable[..., Rig]) -> None:
    healthy, hanging = start(), start()
    for rig in (healthy, hanging):
        rig.wait_for_state("ok")
    hanging.device.hang()
    wait_until(hanging.device.stuck.is_set, what="a reader hangs")
    assert healthy.loop.stop()
    assert not hanging.loop.stop(deadline_s=0.3)


def test_asleep_is_idle_and_a_key_wakes_it(start: Callable[..., Rig]) -> None:
    rig = start(replace(QUICK, sleep_after_s=0.2))
    rig.wait_for_state("ok")
    rig.wait_for_state("idle")
    wait_until(lambda: rig.device.closed == 1, what="the camera closed")
    rig.loop.request_capture()
    wait_until(lambda: rig.images, what="a capture out of sleep")
    assert rig.loop.health.restarts == 0


def test_video_end_is_idle(start: Callable[..., Rig]) -> None:
    rig = start(replace(QUICK, source="lesion.avi"), lambda device: setattr(device, "frames_left", 20))
    wait_until(lambda: rig.loop.health.detail == "the video has ended", what="the end")
    assert rig.loop.health.state == "idle"
    assert rig.device.opened == 1


def test_steady_scene_fires_once(start: Callable[..., Rig]) -> None:
    settings = replace(QUICK, source="lesion.avi", steady=SteadySettings(enabled=True, steady_s=0.2))
    rig = start(settings, lambda device: setattr(device, "frozen", True))
    wait_until(lambda: rig.images, what="a steady capture")
    rig.loop.stop()
    assert len(rig.images) == 1


def test_a_failing_intake_does_not_end_the_camera(start: Callable[..., Rig]) -> None:
    rig = start()
    called = threading.Event()

    def fail(_image: SourceImage) -> None:
        called.set()
        raise RuntimeError("a bug in the intake")

    rig.on_image = fail
    rig.wait_for_state("ok")
    rig.loop.request_capture()
    wait_until(called.is_set, what="the failing intake")
    rig.on_image = rig.images.append
    rig.loop.request_capture()
    wait_until(lambda: rig.images, what="the next capture")


def test_the_cloud_switches_the_steady_trigger(start: Callable[..., Rig]) -> None:
    settings = replace(QUICK, source="lesion.avi", steady=SteadySettings(steady_s=0.1))
    rig = start(settings, lambda device: setattr(device, "frozen", True))
    rig.wait_for_state("ok")
    assert rig.images == []
    rig.loop.trigger_when_steady(wanted=True)
    wait_until(lambda: rig.images, what="a steady capture")
    rig.loop.trigger_when_steady(wanted=None)
    assert not rig.loop._steady.settings.enabled
