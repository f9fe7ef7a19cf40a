"""One part of a protocol, decoded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import structlog

from digiscope_cloud.learning.datasets.examples import Dataset, Example, ImagesBgr, load_images
from digiscope_cloud.learning.protocols import Part
from digiscope_shared.lesions import LesionClass

_log = structlog.get_logger()
LABELS: Final = tuple(LesionClass)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartData:
    """Rows, images and class numbers, in step; `unreadable` names what was left out."""

    examples: tuple[Example, ...]
    images_bgr: Sequence[ImagesBgr]
    unreadable: tuple[str, ...]

    @property
    def classes(self) -> Any:
        return np.array([LABELS.index(example.lesion_class) for example in self.examples])


def load_part(dataset: Dataset, parts: Sequence[Part], wanted: Part) -> PartData:
    rows = [example for example, part in zip(dataset.examples, parts, strict=True) if part is wanted]
    loaded = load_images(dataset, rows)
    for image_id in loaded.unreadable:
        _log.warning("image_unreadable", image_id=image_id, part=wanted)
    return PartData(examples=loaded.examples, images_bgr=loaded.images_bgr, unreadable=loaded.unreadable)
