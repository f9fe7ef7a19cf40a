"""What a data set is to the learner: rows that name an image and its class, and a way to read them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from digiscope_shared.errors import PermanentError
from digiscope_shared.imaging.decode import decode_bgr
from digiscope_shared.lesions import LesionClass

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    ImagesBgr: TypeAlias = NDArray[np.uint8]
else:
    ImagesBgr: TypeAlias = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One labelled image. `group` ties images of one lesion together; `dx_type` is kept out on purpose."""

    image_id: str
    group: str
    lesion_class: LesionClass
    age: float | None = None
    sex: str = ""
    site: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Rows in the published order; `read` returns one image's encoded bytes."""

    name: str
    examples: tuple[Example, ...]
    read: Callable[[str], bytes]
    # False where lesions aren't known: then no split of it is honest.
    grouped: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedImages:
    """Images that could be read, with their rows, and the names of those that could not."""

    examples: tuple[Example, ...]
    images_bgr: Sequence[ImagesBgr]
    unreadable: tuple[str, ...] = field(default=())


def load_images(dataset: Dataset, examples: Iterable[Example]) -> LoadedImages:
    """Decode the images of these rows; one that can't be read is left out and named."""
    kept: list[Example] = []
    images: list[ImagesBgr] = []
    unreadable: list[str] = []
    for example in examples:
        try:
            image = decode_bgr(dataset.read(example.image_id))
        except (PermanentError, OSError, KeyError):
            unreadable.append(example.image_id)
            continue
        kept.append(example)
        images.append(image)
    return LoadedImages(examples=tuple(kept), images_bgr=images, unreadable=tuple(unreadable))
