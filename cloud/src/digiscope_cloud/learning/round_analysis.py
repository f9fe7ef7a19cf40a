"""What a round got wrong: confusions, worst images, calibration; pure but for the file it writes."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from digiscope_cloud.learning import metrics
from digiscope_shared.lesions import LesionClass

_WORST: Final = 20


def analyse(classes: Any, logits: Any, image_ids: Sequence[str], labels: Sequence[LesionClass]) -> dict[str, Any]:
    """Return confusions by frequency, the images that were most surely wrong, and the calibration error."""
    probabilities = metrics.softmax(logits)
    predicted = probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != classes)
    pairs = [(labels[classes[row]], labels[predicted[row]]) for row in wrong]
    counts = {f"{true} taken for {taken}": pairs.count((true, taken)) for true, taken in sorted(set(pairs))}
    surest = wrong[np.argsort(-probabilities[wrong, predicted[wrong]], kind="stable")][:_WORST]
    return {
        "recall": dict(zip(labels, metrics.recalls(classes, predicted, len(labels)).round(4).tolist(), strict=True)),
        "confusions": dict(sorted(counts.items(), key=lambda item: -item[1])),
        "worst_images": [
            {
                "image_id": image_ids[row],
                "true": labels[classes[row]],
                "taken_for": labels[predicted[row]],
                "probability": round(float(probabilities[row, predicted[row]]), 4),
            }
            for row in surest
        ],
        "ece": metrics.expected_calibration_error(classes, probabilities),
    }


def write_analysis(analysis: dict[str, Any], path: Path) -> None:
    path.write_text(json.dumps(analysis, indent=1), encoding="utf-8")
