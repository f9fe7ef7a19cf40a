"""All figures of the protocol at once, with 95 % intervals from bootstraps over lesions. The keys are stable."""

import zlib
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from digiscope_cloud.learning import metrics
from digiscope_shared.lesions import MALIGNANT, LesionClass
from digiscope_shared.model_bundle import Estimate

BOOTSTRAPS: Final = 1000
_INTERVAL: Final = (2.5, 97.5)


def figures(classes: Any, probabilities: Any, labels: Sequence[LesionClass]) -> dict[str, float]:
    """Return every figure; `classes` are indices into `labels`, probabilities rows × classes."""
    predicted = probabilities.argmax(axis=1)
    columns = range(len(labels))
    by_class = metrics.recalls(classes, predicted, len(labels))
    found = {
        "balanced_accuracy": float(np.nanmean(by_class)),
        "accuracy": float(np.mean(predicted == classes)),
        **{f"recall.{label}": float(by_class[number]) for number, label in enumerate(labels)},
        "macro_auroc": _mean(metrics.auroc(classes == number, probabilities[:, number]) for number in columns),
        "macro_auprc": _mean(metrics.auprc(classes == number, probabilities[:, number]) for number in columns),
        "nll": metrics.negative_log_likelihood(classes, probabilities),
        "brier": metrics.brier_score(classes, probabilities),
        "ece": metrics.expected_calibration_error(classes, probabilities),
    }
    malignant = np.array([label in MALIGNANT for label in labels])
    found |= _binary("malignant", malignant[classes], probabilities[:, malignant].sum(axis=1))
    melanoma = list(labels).index(LesionClass.MEL) if LesionClass.MEL in labels else None
    if melanoma is not None:
        found |= _binary("melanoma", classes == melanoma, probabilities[:, melanoma])
    return found


def evaluate(
    classes: Any,
    probabilities: Any,
    labels: Sequence[LesionClass],
    groups: Sequence[str],
    *,
    bootstraps: int = BOOTSTRAPS,
) -> dict[str, Estimate]:
    """Return every figure that can be told from these rows, with its interval.

    Lesions are drawn with replacement, all images of a lesion together; the draw is seeded by the data's size alone,
    so the same rows give the same interval.
    """
    values = figures(classes, probabilities, labels)
    rng = np.random.default_rng(zlib.crc32(str(len(classes)).encode()))
    rows_of_group = _rows_of_groups(groups)
    draws: dict[str, list[float]] = {name: [] for name in values}
    for _ in range(bootstraps):
        drawn = rng.integers(0, len(rows_of_group), len(rows_of_group))
        rows = np.concatenate([rows_of_group[number] for number in drawn])
        for name, value in figures(classes[rows], probabilities[rows], labels).items():
            draws[name].append(value)
    return {name: _estimate(value, draws[name]) for name, value in values.items() if not np.isnan(value)}


def _estimate(value: float, draws: list[float]) -> Estimate:
    known = [draw for draw in draws if not np.isnan(draw)] or [value]
    low, high = np.percentile(known, _INTERVAL)
    return Estimate(value=round(value, 6), low=round(float(low), 6), high=round(float(high), 6))


def _binary(name: str, positive: Any, scores: Any) -> dict[str, float]:
    return {
        f"{name}.auroc": metrics.auroc(positive, scores),
        f"{name}.specificity_at_sensitivity_95": metrics.specificity_at_sensitivity(positive, scores, 0.95),
        f"{name}.specificity_at_sensitivity_90": metrics.specificity_at_sensitivity(positive, scores, 0.90),
    }


def _mean(values: Any) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def _rows_of_groups(groups: Sequence[str]) -> list[Any]:
    _, numbers = np.unique(np.asarray(groups), return_inverse=True)
    order = np.argsort(numbers, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)
