from dataclasses import replace

import cv2
import numpy as np
import pytest

from digiscope_cloud.vision.inspect_command import seen_box
from digiscope_cloud.vision.module import VisionModule
from digiscope_cloud.vision.overlay import heated, layer_png, marked, overlay_png
from digiscope_cloud.vision.sight import Sight
from digiscope_shared.imaging.phantoms import PhantomLesion, draw_lesion
from digiscope_shared.input_spec import InputSpec

BLANK = np.full((450, 600, 3), 180, np.uint8)


@pytest.fixture(scope="module")
def sight() -> Sight:
    drawn = draw_lesion(PhantomLesion(centre_xy=(300.0, 225.0), semi_axes=(120.0, 80.0), angle_deg=20))
    return VisionModule().look(drawn.image_bgr)


def test_outline_is_drawn_on_the_border_alone(sight: Sight) -> None:
    changed = (marked(replace(sight, features=None)) != marked(sight)).any(axis=2)
    along_border = cv2.morphologyEx(sight.mask, cv2.MORPH_GRADIENT, np.ones((9, 9), np.uint8)) > 0
    assert sight.features is not None
    middle = tuple(round(value) for value in sight.features.axes.centre_xy)
    assert changed[middle[1], middle[0]]  # where the axes cross
    assert changed[along_border].mean() > 0.3
    assert not changed[cv2.dilate(sight.mask, np.ones((15, 15), np.uint8)) == 0].any()


def test_scale_bar_is_a_millimetre_long_where_the_optics_are_known(sight: Sight) -> None:
    bare = replace(sight, features=None)
    short, long = (marked(replace(bare, mm_per_px=scale)) for scale in (1 / 50, 1 / 200))
    lengths = [np.count_nonzero((drawn[438] == 255).all(axis=1)) for drawn in (short, long)]
    assert lengths == pytest.approx([50, 200], abs=6)


def test_png_with_and_without_a_heat_map(sight: Sight) -> None:
    heat = np.zeros((12, 12), np.float32)
    heat[6, 6] = 0.3
    plain, wide = (
        np.asarray(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR))
        for content in (overlay_png(sight), overlay_png(sight, heat=heat))
    )
    assert wide.shape[1] == 2 * plain.shape[1]
    assert wide.shape[0] == plain.shape[0]


def test_without_a_lesion_it_says_so_and_draws(sight: Sight) -> None:
    nothing = replace(sight, features=None, mask=np.zeros_like(sight.mask), image_bgr=BLANK)
    assert overlay_png(nothing).startswith(b"\x89PNG")


def test_heat_is_red_for_and_blue_against_inside_of_what_the_model_saw() -> None:
    heat = np.zeros((12, 12), np.float32)
    heat[:, :4], heat[:, 8:] = 1, -1
    drawn = heated(BLANK, heat, (75, 0, 450, 450)).astype(int)
    assert drawn[225, 100, 2] - drawn[225, 100, 0] > 50
    assert drawn[225, 500, 0] - drawn[225, 500, 2] > 50
    assert (drawn[:, :75] == 180).all()
    assert (drawn[:, 525:] == 180).all()


@pytest.mark.parametrize(
    ("spec", "box"),
    [
        (InputSpec(height=28, width=28), (75, 0, 450, 450)),
        (InputSpec(height=28, width=28, crop="whole"), (0, 0, 600, 450)),
        (InputSpec(height=100, width=200), (0, 75, 600, 300)),
    ],
)
def test_what_the_model_saw(spec: InputSpec, box: tuple[int, int, int, int]) -> None:
    assert seen_box(BLANK, spec) == box


def test_the_layer_has_marks_and_no_pixel_of_the_picture(sight: Sight) -> None:
    layer = np.asarray(cv2.imdecode(np.frombuffer(layer_png(sight), np.uint8), cv2.IMREAD_UNCHANGED))
    assert layer.shape == (450, 600, 4)
    assert 0.005 < (layer[..., 3] > 0).mean() < 0.2
    along_border = cv2.morphologyEx(sight.mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    assert (layer[along_border][:, 3] > 0).mean() > 0.9
    elsewhere = replace(sight, image_bgr=BLANK)
    assert layer_png(elsewhere) == layer_png(sight)
