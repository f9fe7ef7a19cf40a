"""Figures of merit from class numbers and probabilities; pure. Definitions: docs/metrics.md."""

from typing import Any

import numpy as np
from scipy.stats import rankdata


def recalls(classes: Any, predicted: Any, count: int) -> Any:
    """Return each class's recall; NaN where the class doesn't occur."""
    hits = np.bincount(classes[predicted == classes], minlength=count)
    totals = np.bincount(classes, minlength=count)
    return np.where(totals > 0, hits / np.maximum(totals, 1), np.nan)


def balanced_accuracy(classes: Any, predicted: Any) -> float:
    """Return the mean recall of the classes that occur."""
    return float(np.nanmean(recalls(classes, predicted, int(max(classes.max(), predicted.max())) + 1)))


def auroc(positive: Any, scores: Any) -> float:
    """Return the area under the ROC curve: the share of pairs in right order, ties half. NaN with one class only."""
    count = int(positive.sum())
    others = len(positive) - count
    if not count or not others:
        return float("nan")
    ranks = rankdata(scores)
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * others))


def macro_auroc(classes: Any, scores: Any) -> float:
    """Return the mean of each class's one-against-rest AUROC; `scores` are rows × classes.

    Logits are turned into probabilities first, since one column of logits alone says little.
    """
    probabilities = softmax(scores)
    return float(np.nanmean([auroc(classes == number, probabilities[:, number]) for number in range(scores.shape[1])]))


def softmax(logits: Any) -> Any:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def auprc(positive: Any, scores: Any) -> float:
    """Return average precision; NaN without positives."""
    if not positive.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = positive[order]
    # Rows of equal score are one threshold: precision counts where the score changes.
    ends = np.append(np.diff(scores[order]) != 0, [True])
    found = np.cumsum(hits)[ends]
    precision = found / (np.flatnonzero(ends) + 1)
    return float(np.sum(np.diff(np.append([0], found)) * precision) / hits.sum())


def threshold_at_sensitivity(positive: Any, scores: Any, sensitivity: float) -> float:
    """Return the highest threshold at which `score >= threshold` finds that share of the positives."""
    ranked = np.sort(scores[positive])[::-1]
    return float(ranked[min(len(ranked), int(np.ceil(sensitivity * len(ranked) - 1e-9))) - 1])


def specificity_at_sensitivity(positive: Any, scores: Any, sensitivity: float) -> float:
    if positive.all() or not positive.any():
        return float("nan")
    return float(np.mean(scores[~positive] < threshold_at_sensitivity(positive, scores, sensitivity)))


def expected_calibration_error(classes: Any, probabilities: Any, bins: int = 15) -> float:
    """Return the mean gap between top probability and accuracy, over bins of equal width (Guo et al. 2017)."""
    top = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == classes
    place = np.minimum((top * bins).astype(int), bins - 1)
    gaps = np.bincount(place, weights=right - top, minlength=bins)
    return float(np.abs(gaps).sum() / len(classes))


def negative_log_likelihood(classes: Any, probabilities: Any) -> float:
    return float(-np.log(np.maximum(probabilities[np.arange(len(classes)), classes], 1e-12)).mean())


def brier_score(classes: Any, probabilities: Any) -> float:
    """Return the mean squared distance to the one-hot truth, summed over classes."""
    truth = np.eye(probabilities.shape[1])[classes]
    return float(((probabilities - truth) ** 2).sum(axis=1).mean())
