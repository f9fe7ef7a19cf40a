import numpy as np
import pytest

from digiscope_cloud.vision import shape
from digiscope_shared.imaging.phantoms import PhantomLesion, draw_lesion

MIDDLE = (300.0, 225.0)


def mask_of(**drawn: object) -> shape.Mask:
    return draw_lesion(PhantomLesion(centre_xy=MIDDLE, **drawn)).mask  # type: ignore[arg-type]


def measured(mask: shape.Mask) -> shape.Shape:
    return shape.describe(mask, shape.principal_axes(mask))


@pytest.mark.parametrize("radius", [20.0, 60.0, 150.0])
def test_circle(radius: float) -> None:
    circle = measured(mask_of(semi_axes=(radius, radius)))
    assert circle.diameter_px == pytest.approx(2 * radius, rel=0.03)
    assert circle.equivalent_diameter_px == pytest.approx(2 * radius, rel=0.01)
    assert circle.area_px == pytest.approx(np.pi * radius**2, rel=0.02)
    assert circle.perimeter_px == pytest.approx(2 * np.pi * radius, rel=0.05)
    assert circle.compactness > 0.93
    assert circle.solidity > 0.93
    assert circle.elongation == pytest.approx(1, abs=0.02)
    # A pixel's width along the outline doesn't cover its mirror image.
    assert max(circle.asymmetry_major, circle.asymmetry_minor) < 0.02
    assert not circle.touches_border


@pytest.mark.parametrize("angle_deg", [0, 20, 45, 90, 130])
def test_ellipse_is_long_and_symmetric_on_its_axes(angle_deg: float) -> None:
    mask = mask_of(semi_axes=(120.0, 60.0), angle_deg=angle_deg)
    axes = shape.principal_axes(mask)
    assert (axes.angle_deg - angle_deg + 90) % 180 - 90 == pytest.approx(0, abs=0.5)
    assert (axes.semi_major_px, axes.semi_minor_px) == pytest.approx((120, 60), rel=0.01)
    ellipse = shape.describe(mask, axes)
    assert ellipse.elongation == pytest.approx(2, rel=0.02)
    assert max(ellipse.asymmetry_major, ellipse.asymmetry_minor) < 0.02


@pytest.mark.parametrize("angle_deg", [0, 30, 90])
def test_an_ellipse_without_one_end_is_asymmetric_over_one_axis_only(angle_deg: float) -> None:
    whole = PhantomLesion(centre_xy=MIDDLE, semi_axes=(140.0, 60.0), angle_deg=angle_deg)
    rows, columns = np.mgrid[0:450, 0:600]
    turn = np.deg2rad(angle_deg)
    along = (columns - MIDDLE[0]) * np.cos(turn) + (rows - MIDDLE[1]) * np.sin(turn)
    egg = measured(np.where(along < 70, draw_lesion(whole).mask, 0).astype(np.uint8))
    assert egg.asymmetry_major < 0.02
    assert egg.asymmetry_minor > 0.05


def test_irregular_borders_are_irregular() -> None:
    smooth, wavy = (measured(mask_of(semi_axes=(100.0, 100.0), waviness=depth, waves=11)) for depth in (0.0, 0.2))
    assert wavy.compactness < smooth.compactness - 0.2
    assert wavy.solidity < smooth.solidity - 0.05
    assert wavy.fractal_dimension > smooth.fractal_dimension + 0.01


@pytest.mark.parametrize("angle_deg", [15, 40, 75, 90])
def test_stable_under_rotation(angle_deg: float) -> None:
    """Angles of one lesion: pixels, not shapes, differ."""
    upright, turned = (
        measured(mask_of(semi_axes=(120.0, 80.0), waviness=0.1, waves=5, angle_deg=angle)) for angle in (0, angle_deg)
    )
    assert turned.diameter_px == pytest.approx(upright.diameter_px, rel=0.01)
    assert turned.compactness == pytest.approx(upright.compactness, rel=0.03)
    assert turned.asymmetry_major == pytest.approx(upright.asymmetry_major, abs=0.02)
    assert turned.asymmetry_minor == pytest.approx(upright.asymmetry_minor, abs=0.02)
    assert turned.fractal_dimension == pytest.approx(upright.fractal_dimension, abs=0.05)


@pytest.mark.parametrize("scale", [0.8, 1.2])
def test_stable_under_scale(scale: float) -> None:
    one, other = (
        measured(mask_of(semi_axes=(110.0 * size, 75.0 * size), waviness=0.1, waves=5)) for size in (1, scale)
    )
    assert other.diameter_px == pytest.approx(one.diameter_px * scale, rel=0.01)
    assert other.compactness == pytest.approx(one.compactness, rel=0.03)
    assert other.elongation == pytest.approx(one.elongation, rel=0.02)
    assert other.asymmetry_major == pytest.approx(one.asymmetry_major, abs=0.02)


def test_a_few_pixels_and_a_full_frame_are_measured_too() -> None:
    speck = np.zeros((50, 60), np.uint8)
    speck[20, 30] = 255
    assert measured(speck).area_px == 1
    full = measured(np.full((50, 60), 255, np.uint8))
    assert full.touches_border
    assert full.solidity == 1
