"""Probabilities to what to do next."""

import pytest

from digiscope_shared.lesions import LesionClass
from digiscope_shared.messages import Triage
from digiscope_shared.triage import OperatingPoints, decide, malignant_probability

POINTS = OperatingPoints(review_from=0.2, refer_from=0.6)


@pytest.mark.parametrize(
    ("melanoma", "expected"),
    [(0.0, Triage.ROUTINE), (0.19, Triage.ROUTINE), (0.2, Triage.REVIEW), (0.59, Triage.REVIEW), (0.6, Triage.REFER)],
)
def test_thresholds_belong_to_the_more_careful_side(melanoma: float, expected: Triage) -> None:
    assert decide({LesionClass.MEL: melanoma, LesionClass.NV: 1 - melanoma}, POINTS) is expected


def test_all_malignant_classes_count_together() -> None:
    spread = {LesionClass.MEL: 0.2, LesionClass.BCC: 0.2, LesionClass.AKIEC: 0.2, LesionClass.NV: 0.4}
    assert malignant_probability(spread) == pytest.approx(0.6)
    assert decide(spread, OperatingPoints(review_from=0.2, refer_from=0.59)) is Triage.REFER


def test_the_model_never_says_retake() -> None:
    assert decide({}, POINTS) is Triage.ROUTINE
