import numpy as np
import pytest

from digiscope_cloud.learning.segmentation import evaluation, otsu
from digiscope_cloud.learning.segmentation.dataset import MaskedImages
from digiscope_cloud.learning.vision_tables.faults import FAULTS
from digiscope_cloud.learning.vision_tables.strangers import all_strangers
from digiscope_cloud.learning.vision_tables.tables import Row
from digiscope_cloud.vision.overlap import overlap
from digiscope_shared.imaging.phantoms import draw_phantom_with_mask
from digiscope_shared.imaging.quality import QualityThresholds, assess
from digiscope_shared.litert.segmenter import LiteRtSegmenter
from digiscope_shared.segmenter_bundle import DEFAULT_BUNDLE, load_segmenter


@pytest.mark.parametrize("name", ["blur", "dark", "bright", "glare", "cropped lesion"])
def test_planted_faults_are_refused(name: str) -> None:
    drawn = draw_phantom_with_mask(5, width=200, height=150, hairs=0)
    broken = FAULTS[name][1](drawn.image_bgr, drawn.mask, np.random.default_rng(0))
    assert broken.shape == drawn.image_bgr.shape
    lesion = FAULTS[name][1](np.repeat(drawn.mask[..., None], 3, axis=2), drawn.mask, np.random.default_rng(0))
    mask = np.where(lesion[..., 0] > 127, 255, 0).astype(np.uint8) if name == "cropped lesion" else drawn.mask
    assert assess(drawn.image_bgr, QualityThresholds(), mask=drawn.mask).passed
    assert not assess(broken, QualityThresholds(), mask=mask).passed


def test_strangers_are_far_from_lesions_and_phantoms_are_not() -> None:
    segmenter = LiteRtSegmenter(load_segmenter(DEFAULT_BUNDLE))
    look = segmenter.bundle.look
    for name, images in all_strangers().items():
        far = [look.distance(segmenter.segment(image).embedding) > look.max_distance for image in images[::8]]
        assert np.mean(far) > 0.9, name
    near = [look.distance(segmenter.segment(draw_phantom_with_mask(seed).image_bgr).embedding) for seed in range(6)]
    assert max(near) < look.max_distance


def test_figures_are_means_over_pictures_with_intervals_over_lesions() -> None:
    drawn = [draw_phantom_with_mask(seed, width=200, height=150, hairs=0) for seed in range(4)]
    images = MaskedImages(
        ("a", "b", "c", "d"), np.stack([each.image_bgr for each in drawn]), np.stack([each.mask for each in drawn])
    )
    groups = {"a": "1", "b": "1", "c": "2", "d": "3"}
    figures = evaluation.figures(otsu.segment, images, groups, "drawn")
    expected = np.mean([overlap(otsu.segment(each.image_bgr), each.mask).dice for each in drawn])
    assert figures["drawn.dice"].value == pytest.approx(float(expected))
    assert figures["drawn.dice"].low <= expected <= figures["drawn.dice"].high
    assert evaluation.estimate([0.0, 1.0], ["x", "x"]).low == 0.5  # one lesion: nothing to draw from


def test_rows_count_pictures_not_reasons() -> None:
    row = Row()
    row.add(["blur", "dark"])
    row.add([])
    assert (row.pictures, row.refused, row.share, row.reasons["blur"]) == (2, 1, 0.5, 1)
