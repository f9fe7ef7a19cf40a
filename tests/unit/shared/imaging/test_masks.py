import numpy as np
import pytest

from digiscope_cloud.vision.overlap import overlap
from digiscope_shared.imaging import masks


def belief(*boxes: tuple[slice, slice]) -> masks.Probabilities:
    probabilities = np.full((96, 128), 0.02, np.float32)
    for box in boxes:
        probabilities[box] = 0.9
    return probabilities


def test_the_largest_part_is_kept_and_its_holes_are_filled() -> None:
    probabilities = belief(np.s_[20:60, 20:60], np.s_[70:80, 100:110])
    probabilities[35:40, 35:40] = 0.1
    mask = masks.lesion_mask(probabilities, width=512, height=384)
    assert set(np.unique(mask)) == {0, 255}
    assert np.count_nonzero(mask) == pytest.approx(160 * 160, rel=0.03)
    assert mask[150, 150] == 255
    assert mask[300, 420] == 0


@pytest.mark.parametrize("probabilities", [belief(), belief(np.s_[5:7, 5:7])], ids=["nothing", "a speck"])
def test_no_lesion(probabilities: masks.Probabilities) -> None:
    assert not masks.lesion_mask(probabilities, width=600, height=450).any()


def test_certainty() -> None:
    assert masks.certainty(belief()) == 0
    assert masks.certainty(belief(np.s_[1:9, 1:9])) == pytest.approx(0.9)


def test_digest_depends_on_every_pixel_and_on_the_shape() -> None:
    mask = np.zeros((6, 8), np.uint8)
    other = mask.copy()
    other[5, 7] = 255
    digests = {masks.digest(each) for each in (mask, other, mask.reshape(8, 6))}
    assert len(digests) == 3
    assert all(len(digest) == 64 for digest in digests)


def test_overlap() -> None:
    left, right = np.zeros((10, 10), np.uint8), np.zeros((10, 10), np.uint8)
    left[:, :6], right[:, 3:9] = 255, 255
    assert (overlap(left, right).dice, overlap(left, right).jaccard) == pytest.approx((0.5, 1 / 3))
    assert overlap(left, left).dice == 1
    assert overlap(left, np.zeros_like(left)).dice == 0
    assert overlap(np.zeros_like(left), np.zeros_like(left)).jaccard == 1
