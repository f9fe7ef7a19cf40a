"""Figures against scikit-learn's and against hand counts; calibration."""

import numpy as np
import pytest
from sklearn import metrics as reference

from digiscope_cloud.learning import metrics
from digiscope_cloud.learning.calibration import choose_operating_points, fit_temperature
from digiscope_cloud.learning.evaluation import evaluate
from digiscope_shared.lesions import LesionClass

LABELS = tuple(LesionClass)


def _sample(rows: int = 400, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 7, rows)
    logits = rng.normal(size=(rows, 7)) + 2.0 * np.eye(7)[classes]
    return classes, logits


def test_ranking_figures_are_scikit_learns() -> None:
    classes, logits = _sample()
    # Rounded scores tie, which is where ranking goes wrong.
    probabilities = metrics.softmax(np.round(logits))
    positive = classes == 4
    scores = probabilities[:, 4]
    assert metrics.auroc(positive, scores) == pytest.approx(reference.roc_auc_score(positive, scores))
    assert metrics.auprc(positive, scores) == pytest.approx(reference.average_precision_score(positive, scores))
    assert metrics.balanced_accuracy(classes, logits.argmax(1)) == pytest.approx(
        reference.balanced_accuracy_score(classes, logits.argmax(1))
    )


def test_specificity_at_a_sensitivity_by_hand() -> None:
    positive = np.array([True] * 4 + [False] * 4)
    scores = np.array([0.9, 0.8, 0.7, 0.2, 0.6, 0.3, 0.1, 0.0])
    assert metrics.specificity_at_sensitivity(positive, scores, 0.75) == 1.0
    assert metrics.specificity_at_sensitivity(positive, scores, 0.95) == 0.5


def test_calibration_error_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1]] * 10)
    classes = np.array([0] * 6 + [1] * 4)
    assert metrics.expected_calibration_error(classes, probabilities) == pytest.approx(0.3)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_temperature_is_found_again(temperature: float) -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(20_000, 7)) * 2
    draws = metrics.softmax(logits).cumsum(axis=1) > rng.uniform(size=(len(logits), 1))
    assert fit_temperature(draws.argmax(axis=1), logits * temperature) == pytest.approx(temperature, rel=0.05)


def test_operating_points_keep_their_promise() -> None:
    classes, logits = _sample()
    probabilities = metrics.softmax(logits)
    points = choose_operating_points(classes, probabilities, LABELS)
    malignant = np.isin(classes, [LABELS.index(LesionClass(name)) for name in ("mel", "bcc", "akiec")])
    columns = [LABELS.index(LesionClass(name)) for name in ("mel", "bcc", "akiec")]
    scores = probabilities[:, columns].sum(axis=1)
    assert np.mean(scores[malignant] >= points.review_from) >= 0.95
    assert np.mean(scores[~malignant] < points.refer_from) >= 0.89
    assert points.refer_from >= points.review_from


def test_intervals_hold_their_values_and_repeat() -> None:
    classes, logits = _sample()
    probabilities = metrics.softmax(logits)
    groups = [f"g{row // 2}" for row in range(len(classes))]
    first = evaluate(classes, probabilities, LABELS, groups, bootstraps=100)
    assert first == evaluate(classes, probabilities, LABELS, groups, bootstraps=100)
    for name, estimate in first.items():
        assert estimate.low <= estimate.high, name
    accuracy = first["balanced_accuracy"]
    assert accuracy.low < accuracy.value < accuracy.high
    assert {"malignant.auroc", "malignant.specificity_at_sensitivity_95", "ece", "recall.mel"} <= set(first)


def test_intervals_are_wider_where_images_share_lesions() -> None:
    classes, logits = _sample(200)
    doubled, probabilities = np.repeat(classes, 4), metrics.softmax(np.repeat(logits, 4, axis=0))
    tied = evaluate(doubled, probabilities, LABELS, [f"g{row // 4}" for row in range(800)], bootstraps=200)
    free = evaluate(doubled, probabilities, LABELS, [f"g{row}" for row in range(800)], bootstraps=200)
    width = [e["accuracy"].high - e["accuracy"].low for e in (tied, free)]
    assert width[0] > 1.5 * width[1]


def test_a_class_that_is_absent_has_no_figure() -> None:
    classes, logits = _sample()
    kept = classes != 3
    figures = evaluate(
        classes[kept], metrics.softmax(logits[kept]), LABELS, [str(n) for n in range(kept.sum())], bootstraps=5
    )
    assert "recall.df" not in figures
    assert not np.isnan(figures["balanced_accuracy"].value)
