"""Temperature and operating points, from the calibration part alone."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from scipy.optimize import minimize_scalar

from digiscope_cloud.learning import metrics
from digiscope_shared.lesions import MALIGNANT, LesionClass
from digiscope_shared.triage import OperatingPoints

REVIEW_SENSITIVITY: Final = 0.95
REFER_SPECIFICITY: Final = 0.90


def fit_temperature(classes: Any, logits: Any) -> float:
    """Return the temperature of the smallest negative log likelihood (Guo et al. 2017)."""
    found = minimize_scalar(
        lambda log_temperature: metrics.negative_log_likelihood(
            classes, metrics.softmax(logits / np.exp(log_temperature))
        ),
        bounds=(np.log(0.05), np.log(20.0)),
        method="bounded",
    )
    return float(np.exp(found.x))


def choose_operating_points(classes: Any, probabilities: Any, labels: Sequence[LesionClass]) -> OperatingPoints:
    """Review from where 95 % of the malignant are found; refer from where 90 % of the benign are spared."""
    columns = np.array([label in MALIGNANT for label in labels])
    positive, scores = columns[classes], probabilities[:, columns].sum(axis=1)
    review_from = metrics.threshold_at_sensitivity(positive, scores, REVIEW_SENSITIVITY)
    refer_from = float(np.quantile(scores[~positive], REFER_SPECIFICITY))
    return OperatingPoints(review_from=review_from, refer_from=max(review_from, refer_from))
