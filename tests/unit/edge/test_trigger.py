import numpy as np
import pytest
from numpy.typing import NDArray

from digiscope_edge.camera_settings import SteadySettings
from digiscope_edge.trigger import AskedTrigger, SteadinessTrigger, difference, thumbnail

SETTINGS = SteadySettings(enabled=True, threshold=3.0, movement=9.0, steady_s=1.0)


def scene(level: int) -> NDArray[np.uint8]:
    return np.full((480, 640, 3), level, dtype=np.uint8)


def fires(trigger: SteadinessTrigger, scenes: list[tuple[float, int]]) -> list[float]:
    """Return the times at which the trigger fired; scenes are (time, grey level)."""
    return [now_s for now_s, level in scenes if trigger.observe(scene(level), now_s)]


def test_fires_once_after_rest() -> None:
    scenes = [(tenth / 10, 100) for tenth in range(40)]
    assert fires(SteadinessTrigger(SETTINGS), scenes) == [1.0]


def test_movement_starts_the_rest_anew() -> None:
    scenes = [(0.0, 100), (0.5, 100), (0.9, 150), (1.0, 150), (1.8, 150), (2.0, 150)]
    assert fires(SteadinessTrigger(SETTINGS), scenes) == [2.0]


def test_slow_drift_is_movement() -> None:
    scenes = [(tenth / 10, 50 + tenth) for tenth in range(60)]
    assert fires(SteadinessTrigger(SETTINGS), scenes) == []


def test_fires_again_only_after_real_movement() -> None:
    trigger = SteadinessTrigger(SETTINGS)
    assert fires(trigger, [(0, 100), (1, 100)]) == [1]
    assert fires(trigger, [(2, 105), (4, 105), (6, 100), (8, 100)]) == [], "a tremble is no new lesion"
    assert fires(trigger, [(9, 160), (9.5, 160), (10, 160)]) == [10]


def test_off_means_never() -> None:
    assert fires(SteadinessTrigger(SteadySettings()), [(0, 100), (10, 100)]) == []


def test_sensor_noise_is_not_movement() -> None:
    rng = np.random.default_rng(7)
    base = np.full((480, 640, 3), 120, dtype=np.int16)
    one, other = (thumbnail((base + rng.normal(0, 10, base.shape)).clip(0, 255).astype(np.uint8)) for _ in range(2))
    assert difference(one, other) < SETTINGS.threshold


@pytest.mark.parametrize("shape", [(1, 1, 3), (48, 64, 3), (3000, 4000, 3)])
def test_thumbnail_of_any_size(shape: tuple[int, int, int]) -> None:
    assert thumbnail(np.zeros(shape, dtype=np.uint8)).shape == (48, 64)


def test_asked_takes_no_older_frame() -> None:
    asked = AskedTrigger(timeout_s=5)
    asked.ask(10.0)
    assert not asked.take(9.99), "it may show the patient before"
    assert asked.take(10.01)
    assert not asked.take(10.02), "one wish, one capture"


def test_wishes_join_and_expire() -> None:
    asked = AskedTrigger(timeout_s=5)
    asked.ask(10.0)
    asked.ask(12.0)
    assert not asked.expired(14.9)
    assert asked.expired(15.0)
    assert not asked.waiting
    assert not asked.expired(99.0)
