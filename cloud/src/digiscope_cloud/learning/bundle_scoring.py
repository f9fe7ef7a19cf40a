"""A bundle's probabilities for labelled images, made exactly as the edge and the worker make them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from digiscope_cloud.learning.datasets.examples import Dataset, Example
from digiscope_shared.errors import PermanentError
from digiscope_shared.imaging.decode import decode_bgr
from digiscope_shared.litert.classifier import LiteRtClassifier
from digiscope_shared.model_bundle import ModelBundle
from digiscope_shared.model_input import build_input

_BATCH: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Rows that could be read, their class numbers in the bundle's label order, and rows × classes."""

    examples: tuple[Example, ...]
    classes: Any
    probabilities: Any
    unreadable: tuple[str, ...]

    @property
    def groups(self) -> list[str]:
        return [example.group for example in self.examples]


def score(bundle: ModelBundle, dataset: Dataset, examples: Iterable[Example] | None = None) -> Scores:
    """Decode, build the input, classify; an image that can't be read is left out and named."""
    classifier = LiteRtClassifier(bundle, threads=2)
    kept: list[Example] = []
    unreadable: list[str] = []
    waiting: list[Any] = []
    rows: list[Any] = []
    for example in dataset.examples if examples is None else examples:
        try:
            image_bgr = decode_bgr(dataset.read(example.image_id))
        except (PermanentError, KeyError, OSError):
            unreadable.append(example.image_id)
            continue
        kept.append(example)
        waiting.append(build_input(image_bgr, bundle.input_spec))
        if len(waiting) == _BATCH:
            rows.append(classifier.probabilities(np.stack(waiting)))
            waiting.clear()
    if waiting:
        rows.append(classifier.probabilities(np.stack(waiting)))
    return Scores(
        examples=tuple(kept),
        classes=np.array([bundle.labels.index(example.lesion_class) for example in kept], int),
        probabilities=np.concatenate(rows) if rows else np.zeros((0, len(bundle.labels)), np.float32),
        unreadable=tuple(unreadable),
    )
