"""Five folds over lesions: each image is judged once, by a network that has seen no image of its lesion."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from digiscope_cloud.learning.batches import TrainingSet
from digiscope_cloud.learning.config import TrainingConfig
from digiscope_cloud.learning.datasets.examples import Dataset, ImagesBgr, load_images
from digiscope_cloud.learning.evaluation import evaluate, figures
from digiscope_cloud.learning.litert_export import convert
from digiscope_cloud.learning.metrics import softmax
from digiscope_cloud.learning.networks.serving import with_views
from digiscope_cloud.learning.part_data import LABELS
from digiscope_cloud.learning.protocols import FOLDS, grouped_v1
from digiscope_cloud.learning.serving_logits import litert_logits
from digiscope_shared.errors import SettingsError
from digiscope_shared.model_bundle import Estimate

Train = Callable[[TrainingConfig, TrainingSet, Path], keras.Model]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldFigures:
    """Figures of all images together, with intervals over lesions, and of each fold alone; not calibrated."""

    pooled: dict[str, Estimate]
    by_fold: tuple[dict[str, float], ...]
    unreadable: tuple[str, ...]


def judge_in_folds(config: TrainingConfig, dataset: Dataset, run_dir: Path, train: Train) -> FoldFigures:
    """Train one network for each fold, on the other four, and judge that fold as LiteRT would serve it.

    Raises:
        SettingsError: the config builds on another run, which saw the lesions that a fold holds back.
    """
    if config.network.start_from not in ("", "imagenet") or config.distillation or config.companions:
        raise SettingsError(f"{config.id} builds on another run, which saw all folds' lesions")
    fold_of = dict(zip((each.image_id for each in dataset.examples), _folds(dataset), strict=True))
    loaded = load_images(dataset, dataset.examples)
    folds = np.array([fold_of[example.image_id] for example in loaded.examples])
    classes = np.array([LABELS.index(example.lesion_class) for example in loaded.examples])
    probabilities = np.zeros((len(classes), len(LABELS)), np.float32)
    for fold in range(FOLDS):
        held = folds == fold
        training = TrainingSet(images_bgr=_chosen(loaded.images_bgr, ~held), classes=classes[~held])
        model = with_views(train(config, training, run_dir / f"fold-{fold}"), config.views)
        probabilities[held] = _served(model, config, _chosen(loaded.images_bgr, held))
    return FoldFigures(
        pooled=evaluate(classes, probabilities, LABELS, [example.group for example in loaded.examples]),
        by_fold=tuple(figures(classes[folds == fold], probabilities[folds == fold], LABELS) for fold in range(FOLDS)),
        unreadable=loaded.unreadable,
    )


def _folds(dataset: Dataset) -> list[int]:
    return [fold for _, fold in grouped_v1(dataset.examples)]


def _chosen(images_bgr: Sequence[ImagesBgr], rows: Any) -> list[ImagesBgr]:
    return [image for image, wanted in zip(images_bgr, rows, strict=True) if wanted]


def _served(model: keras.Model, config: TrainingConfig, images_bgr: Sequence[ImagesBgr]) -> Any:
    quantisation = "float32" if config.quantisation == "int8" else config.quantisation
    return softmax(litert_logits(convert(model, config.input, quantisation, None), config.input, images_bgr))
