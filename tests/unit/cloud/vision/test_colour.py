from itertools import combinations

import cv2
import numpy as np
import pytest

from digiscope_cloud.vision import colour
from digiscope_cloud.vision.colour import DermoscopicColour
from digiscope_shared.imaging.decode import FrameBgr
from digiscope_shared.imaging.phantoms import SKIN_BGR, Phantom, PhantomLesion, draw_lesion

SHOWN_BGR = {
    DermoscopicColour.WHITE: (245, 250, 252),
    DermoscopicColour.RED: (60, 60, 190),
    DermoscopicColour.LIGHT_BROWN: (80, 125, 175),
    DermoscopicColour.DARK_BROWN: (40, 60, 100),
    DermoscopicColour.BLUE_GREY: (135, 110, 95),
    DermoscopicColour.BLACK: (20, 20, 25),
}


def phantom(*colours: DermoscopicColour) -> Phantom:
    lesion = PhantomLesion(
        centre_xy=(300.0, 225.0), semi_axes=(120.0, 100.0), colours_bgr=tuple(SHOWN_BGR[each] for each in colours)
    )
    return draw_lesion(lesion)


def measured(image_bgr: FrameBgr, mask: colour.Mask) -> colour.Colour:
    return colour.describe(colour.to_lab(image_bgr), mask)


@pytest.mark.parametrize("colours", list(combinations(DermoscopicColour, 3)), ids="+".join)
def test_three_of_six_colours_give_those_three(colours: tuple[DermoscopicColour, ...]) -> None:
    drawn = phantom(*colours)
    found = measured(drawn.image_bgr, drawn.mask)
    assert set(found.present) == set(colours)
    for each in colours:
        assert found.shares[each] == pytest.approx(1 / 3, abs=0.03)


@pytest.mark.parametrize("brightness", [0.9, 1.1])
@pytest.mark.parametrize("quality", [75, 95])
def test_colours_survive_light_and_jpeg(brightness: float, quality: int) -> None:
    colours = {DermoscopicColour.LIGHT_BROWN, DermoscopicColour.DARK_BROWN, DermoscopicColour.BLUE_GREY}
    drawn = phantom(*colours)
    lit = np.clip(drawn.image_bgr * brightness, 0, 255).astype(np.uint8)
    _, content = cv2.imencode(".jpg", lit, [cv2.IMWRITE_JPEG_QUALITY, quality])
    found = measured(np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8), drawn.mask)
    assert set(found.present) == colours
    # Near-neighbours of the edges change names.
    for each in colours:
        assert found.shares[each] == pytest.approx(1 / 3, abs=0.05)


def test_skin_is_what_lies_around_and_counts_as_none_of_the_colours() -> None:
    drawn = draw_lesion(PhantomLesion(centre_xy=(300.0, 225.0), semi_axes=(100.0, 100.0), colours_bgr=(SKIN_BGR,)))
    found = measured(drawn.image_bgr, drawn.mask)
    expected = colour.to_lab(np.full((1, 1, 3), SKIN_BGR, np.uint8))[0, 0]
    assert found.skin.lab == pytest.approx(tuple(expected), abs=0.5)
    assert found.present == ()
    assert found.contrast_to_skin < 1


@pytest.mark.parametrize(
    ("skin_bgr", "low", "high"),
    [(SKIN_BGR, 55, 65), ((120, 150, 195), 28, 41), ((60, 85, 130), -30, 10), ((40, 60, 95), -90, -30)],
    ids=["very light", "intermediate", "brown", "dark"],
)
def test_typology_angle_names_skins(skin_bgr: tuple[int, int, int], low: float, high: float) -> None:
    """Chardon's classes: above 55 very light, 28 to 41 intermediate, -30 to 10 brown, below dark."""
    lesion = PhantomLesion(centre_xy=(300.0, 225.0), semi_axes=(100.0, 80.0))
    drawn = draw_lesion(lesion, skin_bgr=skin_bgr)
    assert low < measured(drawn.image_bgr, drawn.mask).skin.typology_angle_deg < high


def test_variegation_grows_with_colours() -> None:
    one = phantom(DermoscopicColour.DARK_BROWN)
    two = phantom(DermoscopicColour.DARK_BROWN, DermoscopicColour.LIGHT_BROWN)
    assert measured(two.image_bgr, two.mask).variegation > 2 * measured(one.image_bgr, one.mask).variegation


def test_a_lesion_that_fills_the_frame_has_no_skin_around() -> None:
    found = measured(np.full((60, 80, 3), (40, 60, 100), np.uint8), np.full((60, 80), 255, np.uint8))
    assert sum(found.shares.values()) <= 1
