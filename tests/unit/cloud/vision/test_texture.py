import cv2
import numpy as np
import pytest

from digiscope_cloud.vision import features, texture
from digiscope_shared.imaging.decode import FrameBgr
from digiscope_shared.imaging.phantoms import Phantom, draw_phantom_with_mask

RNG = np.random.default_rng(0)
SQUARE = np.full((64, 64), 255, np.uint8)


def test_flat_is_flat() -> None:
    flat = texture.describe(np.full((64, 64), 50, np.float32), SQUARE)
    assert (flat.contrast, flat.homogeneity, flat.energy, flat.entropy) == (0, 1, 1, 0)


def test_noise_is_rougher_than_a_slope() -> None:
    slope = np.tile(np.linspace(30, 70, 64, dtype=np.float32), (64, 1))
    noise = RNG.uniform(30, 70, (64, 64)).astype(np.float32)
    smooth, rough = texture.describe(slope, SQUARE), texture.describe(noise, SQUARE)
    assert smooth.contrast < 1 < rough.contrast
    assert smooth.correlation > 0.95
    assert abs(rough.correlation) < 0.1
    assert smooth.homogeneity > rough.homogeneity
    assert smooth.entropy < rough.entropy


def test_stripes_have_the_contrast_of_their_steps() -> None:
    stripes = np.tile(np.repeat(np.array([45, 55], np.float32), 1), (64, 32))
    found = texture.describe(stripes, SQUARE)
    # 10 L* are 4 of 32 levels over 80 L*: 16 across and on both diagonals, 0 along.
    assert found.contrast == pytest.approx(16 * 3 / 4, rel=0.01)


def test_only_the_lesion_counts() -> None:
    lightness = RNG.uniform(0, 100, (64, 64)).astype(np.float32)
    lightness[16:48, 16:48] = 50
    mask = np.zeros((64, 64), np.uint8)
    mask[18:46, 18:46] = 255
    assert texture.describe(lightness, mask).contrast == 0


def test_patterns_are_shares() -> None:
    found = texture.describe(RNG.uniform(0, 100, (64, 64)).astype(np.float32), SQUARE)
    assert len(found.patterns) == 10
    assert sum(found.patterns) == pytest.approx(1)


@pytest.mark.parametrize("seed", [1, 2, 4])
@pytest.mark.parametrize("change", ["jpeg", "darker", "brighter", "turned", "smaller", "larger"])
def test_stable(seed: int, change: str) -> None:
    """Tolerances: light scales contrast by its square (21 %), JPEG and resizing smooth the finest noise."""
    drawn = draw_phantom_with_mask(seed, width=600, height=450, hairs=0)
    before, after = features.describe(drawn.image_bgr, drawn.mask), features.describe(*changed(drawn, change))
    assert after.texture.contrast == pytest.approx(before.texture.contrast, rel=0.3)
    assert after.texture.homogeneity == pytest.approx(before.texture.homogeneity, abs=0.06)
    assert after.texture.energy == pytest.approx(before.texture.energy, rel=0.25)
    assert after.texture.correlation == pytest.approx(before.texture.correlation, abs=0.1)
    assert after.texture.entropy == pytest.approx(before.texture.entropy, rel=0.12)


def changed(drawn: Phantom, change: str) -> tuple[FrameBgr, texture.Mask]:
    image_bgr, mask = drawn.image_bgr, drawn.mask
    if change == "jpeg":
        _, content = cv2.imencode(".jpg", image_bgr, [cv2.IMWRITE_JPEG_QUALITY, 75])
        return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8), mask
    if change == "turned":
        image_bgr, mask = (
            np.asarray(cv2.rotate(each, cv2.ROTATE_90_CLOCKWISE), np.uint8) for each in (image_bgr, mask)
        )
        return image_bgr, mask
    if change in {"smaller", "larger"}:
        size = (480, 360) if change == "smaller" else (720, 540)
        image_bgr = np.asarray(cv2.resize(image_bgr, size, interpolation=cv2.INTER_AREA), np.uint8)
        return image_bgr, np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    return np.clip(image_bgr * (0.9 if change == "darker" else 1.1), 0, 255).astype(np.uint8), mask
