from collections.abc import Callable

import cv2
import numpy as np
import pytest

from digiscope_shared.imaging.decode import FrameBgr
from digiscope_shared.imaging.hair import MAX_INPAINT_PX, hair_mask, paint_over
from digiscope_shared.imaging.phantoms import PhantomLesion, draw_hairs, draw_lesion, draw_phantom
from digiscope_shared.imaging.quality import ADVICE, QualityCode, QualityThresholds, assess, judge

THRESHOLDS = QualityThresholds()


def codes(image_bgr: FrameBgr, mask: np.ndarray | None = None) -> list[QualityCode]:
    return [failure.code for failure in assess(image_bgr, THRESHOLDS, mask=mask).failures]


def as_bytes(pixels: np.ndarray) -> FrameBgr:
    return np.asarray(np.clip(pixels, 0, 255), dtype=np.uint8)


def with_glare(image_bgr: FrameBgr) -> FrameBgr:
    return np.asarray(cv2.circle(image_bgr.copy(), (250, 200), 60, (255, 255, 255), -1))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [(600, 450), (200, 150), (900, 675)])
def test_plausible_pictures_pass(seed: int, size: tuple[int, int]) -> None:
    assert codes(draw_phantom(seed, width=size[0], height=size[1], hairs=2)) == []


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (lambda image: cv2.GaussianBlur(image, (0, 0), 9), QualityCode.BLUR),
        (lambda image: as_bytes(image * 0.35), QualityCode.DARK),
        (lambda image: as_bytes(image * 1.9), QualityCode.BRIGHT),
        (with_glare, QualityCode.GLARE),
        (lambda image: draw_hairs(image, count=90, seed=1), QualityCode.HAIR),
        (lambda image: cv2.resize(image, (120, 90)), QualityCode.RESOLUTION),
        (lambda image: cv2.circle(np.zeros_like(image), (300, 225), 150, 1, -1) * image, QualityCode.VIGNETTE),
    ],
    ids=["blur", "dark", "bright", "glare", "hair", "resolution", "vignette"],
)
def test_a_planted_fault_is_named(seed: int, fault: Callable[[FrameBgr], FrameBgr], code: QualityCode) -> None:
    assert code in codes(fault(draw_phantom(seed, hairs=0)))


@pytest.mark.parametrize(
    ("centre_xy", "semi_axes", "expected"),
    [
        ((300.0, 225.0), (120.0, 100.0), []),
        ((300.0, 225.0), (340.0, 260.0), []),  # fills the frame, and is in its middle
        ((300.0, 225.0), (15.0, 15.0), [QualityCode.TOO_SMALL]),
        ((0.0, 225.0), (120.0, 100.0), [QualityCode.CUT_OFF, QualityCode.OFF_CENTRE]),
        ((300.0, 420.0), (120.0, 100.0), [QualityCode.CUT_OFF, QualityCode.OFF_CENTRE]),
        ((80.0, 80.0), (50.0, 50.0), [QualityCode.OFF_CENTRE]),
    ],
)
def test_framing(centre_xy: tuple[float, float], semi_axes: tuple[float, float], expected: list[QualityCode]) -> None:
    drawn = draw_lesion(PhantomLesion(centre_xy=centre_xy, semi_axes=semi_axes))
    assert codes(drawn.image_bgr, drawn.mask) == expected


def test_no_lesion_is_said_first() -> None:
    image_bgr = draw_phantom(1)
    assert codes(image_bgr, np.zeros(image_bgr.shape[:2], np.uint8)) == [QualityCode.NO_LESION]


@pytest.mark.parametrize("shape", [(1, 1), (1, 10_000), (10_000, 1), (2, 3)])
def test_any_size_is_judged(shape: tuple[int, int]) -> None:
    assert QualityCode.RESOLUTION in codes(np.zeros((*shape, 3), np.uint8), np.zeros(shape, np.uint8))


def test_thresholds_come_from_outside_and_every_code_has_advice() -> None:
    scores = {"highlights": 50.0}
    assert judge(scores, QualityThresholds(min_highlights=40)).passed
    assert not judge(scores, QualityThresholds(min_highlights=60)).passed
    assert set(ADVICE) == set(QualityCode)


def test_hairs_are_found_and_painted_over() -> None:
    bare = draw_lesion(PhantomLesion(centre_xy=(300.0, 225.0), semi_axes=(100.0, 80.0))).image_bgr
    hairy = draw_hairs(bare, count=6, seed=4)
    drawn = np.abs(hairy.astype(int) - bare).max(axis=2) > 30
    found = hair_mask(hairy) > 0
    assert not hair_mask(bare).any()
    assert (found & drawn).sum() > 0.85 * drawn.sum()
    left = np.abs(paint_over(hairy, hair_mask(hairy)).astype(int) - bare).max(axis=2)[drawn]
    assert np.median(left) < 12


def test_large_pictures_are_never_painted_over() -> None:
    with pytest.raises(ValueError, match="costs too much"):
        paint_over(np.zeros((10, MAX_INPAINT_PX + 1, 3), np.uint8), np.zeros((10, MAX_INPAINT_PX + 1), np.uint8))
