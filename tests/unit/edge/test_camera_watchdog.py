import random

import pytest

from digiscope_edge.camera_watchdog import STEPS, CameraEvent, CameraState, CameraWatchdog
from digiscope_shared.backoff import Backoff
from tests.support.fake_clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def watchdog(clock: FakeClock) -> CameraWatchdog:
    backoff = Backoff(base_s=1.0, cap_s=8.0, floor_s=0.5, rng=random.Random(1))
    return CameraWatchdog(clock=clock, frozen_after_s=10, stable_after_s=30, backoff=backoff)


def test_every_state_knows_every_event() -> None:
    assert set(STEPS) == {(state, event) for state in CameraState for event in CameraEvent}


def test_frames_make_it_ok(watchdog: CameraWatchdog) -> None:
    watchdog.opened()
    assert watchdog.state is CameraState.IDLE
    assert watchdog.frame_seen(identical=False)
    assert watchdog.health.state == "ok"
    assert watchdog.health.restarts == 0


def test_identical_frames_for_too_long_are_frozen(watchdog: CameraWatchdog, clock: FakeClock) -> None:
    watchdog.opened()
    watchdog.frame_seen(identical=False)
    for _ in range(9):
        clock.advance(1)
        assert not watchdog.frame_seen(identical=True)
        assert not watchdog.stalled()
    clock.advance(1)
    assert watchdog.stalled()
    assert watchdog.state is CameraState.FROZEN


def test_no_frame_for_too_long_is_frozen_and_told_once(watchdog: CameraWatchdog, clock: FakeClock) -> None:
    watchdog.opened()
    watchdog.frame_seen(identical=False)
    clock.advance(10)
    assert watchdog.stalled()
    assert not watchdog.stalled()
    assert watchdog.state is CameraState.FROZEN


def test_a_camera_that_never_gave_a_frame_is_gone_not_frozen(watchdog: CameraWatchdog, clock: FakeClock) -> None:
    watchdog.opened()
    clock.advance(10)
    assert watchdog.stalled()
    assert watchdog.state is CameraState.GONE


def test_identical_frames_are_fine_in_a_video_file(clock: FakeClock) -> None:
    watchdog = CameraWatchdog(clock=clock, frozen_after_s=10, identical_is_frozen=False)
    watchdog.opened()
    for _ in range(30):
        clock.advance(1)
        assert watchdog.frame_seen(identical=True)
        assert not watchdog.stalled()
    assert watchdog.state is CameraState.OK


def test_restarts_come_at_a_growing_jittered_pace(clock: FakeClock) -> None:
    ceilings_s: list[float] = []

    class TopOfTheJitter(random.Random):
        def uniform(self, a: float, b: float) -> float:
            ceilings_s.append(b)
            return max(a, b)

    backoff = Backoff(base_s=1.0, cap_s=8.0, rng=TopOfTheJitter())
    watchdog = CameraWatchdog(clock=clock, backoff=backoff)
    for _ in range(5):
        watchdog.opened()
        watchdog.lost("unplugged")
        assert not watchdog.may_open()
        clock.advance(ceilings_s[-1] - 0.01)
        assert not watchdog.may_open()
        clock.advance(0.01)
        assert watchdog.may_open()
    assert ceilings_s == [1, 2, 4, 8, 8]
    assert watchdog.health.restarts == 4
    assert watchdog.health.detail == "unplugged"


def test_pace_starts_anew_only_after_a_stable_spell(watchdog: CameraWatchdog, clock: FakeClock) -> None:
    watchdog.opened()
    watchdog.lost("unplugged")
    watchdog.opened()
    watchdog.frame_seen(identical=False)
    assert watchdog.backoff.attempt == 1, "one frame is no stable spell"
    clock.advance(30)
    watchdog.frame_seen(identical=False)
    assert watchdog.backoff.attempt == 0


def test_idle_is_not_dead(watchdog: CameraWatchdog, clock: FakeClock) -> None:
    watchdog.opened()
    watchdog.frame_seen(identical=False)
    watchdog.released("asleep")
    clock.advance(3600)
    assert watchdog.health.state == "idle"
    assert watchdog.may_open()
    watchdog.opened()
    assert not watchdog.stalled(), "the hour asleep doesn't count"
    assert watchdog.restarts == 0, "waking up is no restart"
