import cv2
import numpy as np
import pytest

from digiscope_cloud.vision import abcd, features
from digiscope_shared.imaging.phantoms import PhantomLesion, draw_lesion

BROWN = (40, 60, 100)
LIGHT = (80, 125, 175)
BLACK = (20, 20, 25)


def scored(**drawn: object) -> abcd.Abcd:
    settings = {"semi_axes": (110.0, 90.0), "colours_bgr": (BROWN,), **drawn}
    phantom = draw_lesion(PhantomLesion(centre_xy=(300.0, 225.0), **settings))  # type: ignore[arg-type]
    return features.describe(phantom.image_bgr, phantom.mask).abcd


def test_a_plain_round_spot_with_a_sharp_border() -> None:
    found = scored()
    assert (found.asymmetry, found.border, found.colours) == (0, 8, 1)
    # 1.3·0 + 0.1·8 + 0.5·1, and 0.5·D for one to five structures.
    assert (found.total_low, found.total_high) == pytest.approx((1.8, 3.8))


def test_a_soft_border_ends_nowhere_abruptly() -> None:
    assert scored(edge_px=90.0).border == 0


def test_a_border_that_is_half_soft() -> None:
    phantom = draw_lesion(PhantomLesion(centre_xy=(300.0, 225.0), semi_axes=(110.0, 110.0)))
    soft = cv2.GaussianBlur(phantom.image_bgr, (0, 0), 30)
    image_bgr = np.where(np.arange(600)[None, :, None] < 300, soft, phantom.image_bgr).astype(np.uint8)
    assert 3 <= features.describe(image_bgr, phantom.mask).abcd.border <= 5


def test_two_halves_of_different_colour_are_asymmetric_over_one_axis() -> None:
    """The colours' edge lies along the longer axis: folding over it lays brown on black."""
    found = scored(colours_bgr=(LIGHT, BLACK), semi_axes=(130.0, 80.0))
    assert found.colour_asymmetry_major > 30
    assert found.colour_asymmetry_minor < abcd.ASYMMETRIC_COLOUR
    assert (found.asymmetry, found.colours) == (1, 2)


def test_the_range_covers_the_unknown_structures() -> None:
    found = scored(colours_bgr=(LIGHT, BROWN, BLACK), waviness=0.2, waves=3)
    assert found.total_high - found.total_low == pytest.approx(2.0)
    known = 1.3 * found.asymmetry + 0.1 * found.border + 0.5 * found.colours
    assert found.total_low == pytest.approx(known + 0.5)


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_stable_in_light(factor: float) -> None:
    phantom = draw_lesion(
        PhantomLesion(centre_xy=(300.0, 225.0), semi_axes=(110.0, 90.0), colours_bgr=(LIGHT, BROWN), edge_px=6.0)
    )
    lit = np.clip(phantom.image_bgr * factor, 0, 255).astype(np.uint8)
    before, after = (features.describe(image, phantom.mask).abcd for image in (phantom.image_bgr, lit))
    assert (after.asymmetry, after.colours) == (before.asymmetry, before.colours)
    assert abs(after.border - before.border) <= 1
