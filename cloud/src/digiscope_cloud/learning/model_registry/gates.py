"""What a bundle must pass to serve: not leaky, computes what it should, not worse than the champion."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from digiscope_cloud.learning import metrics
from digiscope_shared.errors import DigiScopeError, PermanentError
from digiscope_shared.litert.classifier import LiteRtClassifier
from digiscope_shared.model_bundle import ModelBundle

_BOOTSTRAPS: Final = 1000
_SEED: Final = 1


class GateError(DigiScopeError):
    """This bundle may not serve; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Candidate's minus champion's balanced accuracy on the same images, 95 % interval over lesions."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"balanced accuracy {self.value:+.4f} ({self.low:+.4f} to {self.high:+.4f}) against the champion"


def check_honest(bundle: ModelBundle) -> str:
    if bundle.leaky:
        raise GateError(
            f"{bundle.model_id}: its protocol {bundle.manifest.protocol!r} leaks: test images were seen in training, "
            "so its figures say nothing about new patients. It can be shown and never be promoted"
        )
    return f"protocol {bundle.manifest.protocol} doesn't leak"


def check_golden(bundle: ModelBundle) -> str:
    try:
        LiteRtClassifier(bundle).verify_golden()
    except PermanentError as error:
        raise GateError(error.detail) from error
    return "golden outputs are right on this machine"


def check_not_worse(difference: Difference) -> str:
    if difference.high < 0:
        raise GateError(f"worse than the champion: {difference}")
    return str(difference)


def paired_difference(classes: Any, candidate: Any, champion: Any, groups: Sequence[str]) -> Difference:
    """Bootstrap lesions and compare both models on the same draw; predictions are class numbers."""
    _, numbers = np.unique(np.asarray(groups), return_inverse=True)
    rows_of_group = [np.flatnonzero(numbers == number) for number in range(numbers.max() + 1)]
    rng = np.random.default_rng(_SEED)

    def gap(rows: Any) -> float:
        truth = classes[rows]
        return metrics.balanced_accuracy(truth, candidate[rows]) - metrics.balanced_accuracy(truth, champion[rows])

    draws = [
        gap(
            np.concatenate(
                [rows_of_group[number] for number in rng.integers(0, len(rows_of_group), len(rows_of_group))]
            )
        )
        for _ in range(_BOOTSTRAPS)
    ]
    low, high = np.percentile(draws, (2.5, 97.5))
    return Difference(value=gap(np.arange(len(classes))), low=float(low), high=float(high))
