"""From probabilities to what to do next, at thresholds that the model bundle carries."""

from collections.abc import Mapping
from dataclasses import dataclass

from digiscope_shared.lesions import MALIGNANT, LesionClass
from digiscope_shared.messages import Triage


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoints:
    """Malignant probabilities, chosen on the calibration part, from which to review and from which to refer."""

    review_from: float
    refer_from: float


def malignant_probability(probabilities: Mapping[LesionClass, float]) -> float:
    return min(1.0, sum(probabilities.get(lesion, 0.0) for lesion in MALIGNANT))


def decide(probabilities: Mapping[LesionClass, float], operating_points: OperatingPoints) -> Triage:
    """Return refer, review or routine; `retake` is the quality gate's word, never the model's."""
    malignant = malignant_probability(probabilities)
    if malignant >= operating_points.refer_from:
        return Triage.REFER
    return Triage.REVIEW if malignant >= operating_points.review_from else Triage.ROUTINE
