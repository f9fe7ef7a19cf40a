"""The paper's figures, drawn from our run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import cv2
import matplotlib as mpl
import numpy as np

from digiscope_cloud.learning.augmentation import augment
from digiscope_cloud.learning.config import Augmentation
from digiscope_cloud.learning.datasets.examples import Dataset, ImagesBgr, load_images
from digiscope_cloud.learning.paper_protocol import CODES
from digiscope_shared.lesions import FULL_NAME

mpl.use("Agg")
from matplotlib import pyplot as plt

_DPI: Final = 110
_VIEWS: Final = {
    "as it came": Augmentation(),
    "turned": Augmentation(rotation_deg=90),
    "zoomed": Augmentation(zoom=0.4),
    "shifted": Augmentation(shift=0.2),
    "sheared": Augmentation(shear=0.4),
    "other light": Augmentation(brightness=0.3, illumination=0.15),
}


def figure_1_classes(dataset: Dataset, path: Path) -> None:
    """Draw one image of each class."""
    firsts = {example.lesion_class: example for example in reversed(dataset.examples)}
    loaded = load_images(dataset, [firsts[label] for label in CODES if label in firsts])
    titles = [FULL_NAME[example.lesion_class] for example in loaded.examples]
    _gallery(loaded.images_bgr, titles, path)


def figure_2_augmentations(dataset: Dataset, path: Path) -> None:
    """Draw one image and its random views."""
    (image,) = load_images(dataset, dataset.examples[:1]).images_bgr
    height, width = image.shape[:2]
    views = [augment(image, how, height, width, np.random.default_rng(5)) for how in _VIEWS.values()]
    _gallery(views, list(_VIEWS), path)


def figure_7_confusion(confusion: Sequence[Sequence[int]], path: Path) -> None:
    figure, axes = plt.subplots(figsize=(6, 5.4))
    matrix = np.asarray(confusion)
    axes.imshow(np.log1p(matrix), cmap="Blues")
    for row, column in np.ndindex(*matrix.shape):
        dark = matrix[row, column] > matrix.max() / 20
        axes.text(column, row, matrix[row, column], ha="center", va="center", color="white" if dark else "black")
    axes.set_xticks(range(len(CODES)), CODES)
    axes.set_yticks(range(len(CODES)), CODES)
    axes.set(xlabel="predicted", ylabel="true")
    _save(figure, path)


def curves(history: Mapping[str, Sequence[float]], quantity: str, path: Path) -> None:
    """Draw Figure 8 (`accuracy`) or 9 (`loss`)."""
    figure, axes = plt.subplots(figsize=(6, 4))
    for name, label in ((quantity, "train"), (f"val_{quantity}", "test rows")):
        axes.plot(range(1, len(history[name]) + 1), history[name], label=label)
    axes.set(xlabel="epoch", ylabel=quantity)
    axes.legend()
    _save(figure, path)


def _gallery(images_bgr: Sequence[ImagesBgr], titles: Sequence[str], path: Path) -> None:
    figure, grid = plt.subplots(2, 4, figsize=(11, 5))
    for axes in grid.ravel():
        axes.axis("off")
    for axes, image, title in zip(grid.ravel(), images_bgr, titles, strict=False):
        axes.imshow(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
        axes.set_title(title, fontsize=9)
    _save(figure, path)


def _save(figure: Any, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, dpi=_DPI)
    plt.close(figure)
