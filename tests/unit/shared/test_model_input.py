"""Pixels to a model's input."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digiscope_shared.imaging.phantoms import draw_phantom
from digiscope_shared.input_spec import InputSpec
from digiscope_shared.model_input import build_input, centre_crop


def test_shape_type_and_range() -> None:
    made = build_input(draw_phantom(1), InputSpec(height=96, width=128))
    assert made.shape == (96, 128, 3)
    assert made.dtype == np.float32
    assert 0 <= made.min() < made.max() <= 1


def test_colour_order_and_scaling() -> None:
    blue_bgr = np.zeros((4, 4, 3), np.uint8)
    blue_bgr[..., 0] = 255
    spec = InputSpec(height=4, width=4, scale=1 / 128, offset=-127 / 128)
    np.testing.assert_allclose(build_input(blue_bgr, spec)[0, 0], [-127 / 128, -127 / 128, 1], rtol=1e-6)
    kept = InputSpec(height=4, width=4, colour_order="bgr")
    np.testing.assert_allclose(build_input(blue_bgr, kept)[0, 0], [1, 0, 0])


def test_a_wide_frame_loses_its_sides_and_keeps_its_proportions() -> None:
    frame = np.zeros((90, 160, 3), np.uint8)
    frame[:, 20:140] = 255
    assert (build_input(frame, InputSpec(height=45, width=60)) == 1).all()


def test_whole_stretches() -> None:
    frame = np.zeros((90, 160, 3), np.uint8)
    frame[:, 20:140] = 255
    assert not (build_input(frame, InputSpec(height=45, width=60, crop="whole")) == 1).all()


@given(st.integers(1, 60), st.integers(1, 60), st.floats(0.1, 10))
def test_a_crop_is_never_empty(height: int, width: int, aspect: float) -> None:
    cut = centre_crop(np.zeros((height, width, 3), np.uint8), aspect)
    assert min(cut.shape[:2]) >= 1


@pytest.mark.parametrize("size", [(600, 450), (200, 150), (64, 48), (1, 1)])
def test_any_size_gives_the_same_shape(size: tuple[int, int]) -> None:
    frame = np.full((size[1], size[0], 3), 7, np.uint8)
    made = build_input(frame, InputSpec(height=96, width=128))
    assert made.shape == (96, 128, 3)
    np.testing.assert_allclose(made, 7 / 255, rtol=1e-6)
