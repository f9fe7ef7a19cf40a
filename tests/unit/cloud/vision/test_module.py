import contextlib
import json
import resource
import time

import numpy as np
import pytest

from digiscope_cloud.vision.findings import SCHEMA
from digiscope_cloud.vision.module import EXAMINED_SIDE_PX, VisionModule
from digiscope_cloud.vision.overlap import overlap
from digiscope_shared.errors import PermanentError, Reason
from digiscope_shared.imaging.decode import decode_bgr
from digiscope_shared.imaging.phantoms import PhantomLesion, draw_lesion, draw_phantom, draw_phantom_with_mask
from tests.support import hostile_images


@pytest.fixture(scope="module")
def module() -> VisionModule:
    return VisionModule()


def test_findings_are_json_and_whole(module: VisionModule) -> None:
    found = module.examine(draw_phantom(1))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["schema"] == SCHEMA
    assert set(found) == {
        *("schema", "summary", "picture", "segmentation", "quality", "likeness"),
        *("axes", "shape", "colour", "texture", "abcd"),
    }
    assert len(found["segmentation"]["mask_sha256"]) == 64
    assert found["abcd"]["only_for"] == "melanocytic lesions"


@pytest.mark.parametrize("seed", range(6))
def test_drawn_lesions_are_found(module: VisionModule, seed: int) -> None:
    drawn = draw_phantom_with_mask(seed)
    assert overlap(module.look(drawn.image_bgr).mask, drawn.mask).dice > 0.9


@pytest.mark.parametrize("radius", [60.0, 100.0, 140.0])
def test_a_known_diameter_comes_back(module: VisionModule, radius: float) -> None:
    """Within 3 %, from pixels to millimetres."""
    drawn = draw_lesion(PhantomLesion(centre_xy=(300.0, 225.0), semi_axes=(radius, radius)))
    found = module.examine(drawn.image_bgr, 12.0)
    assert found["shape"]["equivalent_diameter_px"] == pytest.approx(2 * radius, rel=0.03)
    assert found["shape"]["diameter_mm"] == pytest.approx(found["shape"]["diameter_px"] * 12 / 600, rel=0.001)


def test_the_same_picture_gives_the_same_findings(module: VisionModule) -> None:
    image_bgr = draw_phantom(3)
    assert module.examine(image_bgr) == module.examine(image_bgr.copy())


@pytest.mark.parametrize("level", [0, 30, 128, 200, 255])
def test_blank_pictures_have_no_lesion_and_are_not_fit(module: VisionModule, level: int) -> None:
    found = module.examine(np.full((450, 600, 3), level, np.uint8))
    assert not found["quality"]["fit"]
    assert not found["segmentation"]["found"]
    assert "shape" not in found


def test_large_pictures_are_examined_small(module: VisionModule) -> None:
    sight = module.look(draw_phantom(1, width=1600, height=1200))
    assert max(sight.mask.shape) == EXAMINED_SIDE_PX


@pytest.mark.parametrize("shape", [(1, 1), (1, 10_000), (10_000, 1), (31, 31), (40, 4000)])
def test_what_is_too_small_or_too_narrow_gets_a_reason(module: VisionModule, shape: tuple[int, int]) -> None:
    with pytest.raises(PermanentError, match="can't be examined") as refused:
        module.examine(np.zeros((*shape, 3), np.uint8))
    assert refused.value.reason == Reason.UNREADABLE_IMAGE


@pytest.mark.parametrize("name", [*hostile_images.REFUSED, *hostile_images.READ])
def test_hostile_files_end_in_findings_or_a_reason(module: VisionModule, name: str) -> None:
    content = {**hostile_images.REFUSED, **hostile_images.READ}[name]
    began_s, before_kb = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with contextlib.suppress(PermanentError):
        assert module.examine(decode_bgr(content, at_least_px=450))["schema"] == SCHEMA
    assert time.perf_counter() - began_s < 3
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 96 * 1024


@pytest.mark.parametrize("kind", ["noise", "one pixel", "all lesion", "stripes"])
def test_strange_pixels_are_examined(module: VisionModule, kind: str) -> None:
    rng = np.random.default_rng(1)
    pixels = {
        "noise": rng.integers(0, 256, (450, 600, 3)),
        "one pixel": np.pad(np.zeros((1, 1, 3)), ((200, 200), (300, 300), (0, 0)), constant_values=220),
        "all lesion": np.full((450, 600, 3), (40, 60, 100)) + rng.integers(0, 20, (450, 600, 3)),
        "stripes": np.tile([[[0, 0, 0]], [[255, 255, 255]]], (200, 500, 1)),
    }[kind]
    json.dumps(module.examine(pixels.astype(np.uint8)), allow_nan=False)
