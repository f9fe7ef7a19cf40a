"""A segmenter's bundle: like a classifier's, but its outputs are a mask and an embedding, not classes."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

import numpy as np

from digiscope_shared import bundle_files
from digiscope_shared.bundle_arrays import read_arrays
from digiscope_shared.codec import decode_json
from digiscope_shared.errors import PermanentError, Reason
from digiscope_shared.input_spec import InputSpec
from digiscope_shared.model_bundle import CARD, GOLDEN, MANIFEST, MODEL, Estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float32]
else:
    Floats: TypeAlias = Any

# One for device and worker: what the preview outlines is what the findings measure.
DEFAULT_BUNDLE: Final = Path(str(files("digiscope_shared"))) / "bundles" / "segmenter"
EMBEDDING: Final = "embedding.npz"
REQUIRED: Final = (MODEL, GOLDEN, CARD, EMBEDDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmenterManifest:
    """`manifest.json`. `metrics` are of the parts that have masks and were not trained on: val and cal."""

    SCHEMA: ClassVar[str] = "digiscope.segmenter-bundle/1"

    id: str
    files: Mapping[str, str]
    input_spec: InputSpec
    # Farther than this from what lesions look like is not a lesion; 2 % of the cal part's pictures are.
    max_distance: float
    protocol: str
    leaky: bool
    data_digest: str
    intended_use: str
    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    quantisation: str = "float32"
    licence: str = ""
    created_at: str = ""
    training: Mapping[str, Any] = field(default_factory=dict)
    signature: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LesionLook:
    """What embeddings of pictures with lesions look like: their mean, and what turns their spread into a unit ball."""

    mean: Floats
    whitening: Floats
    max_distance: float

    def distance(self, embedding: Floats) -> float:
        """Return the Mahalanobis distance (Lee et al. 2018, arXiv:1807.03888) over the root of the dimensions."""
        whitened = (embedding - self.mean) @ self.whitening
        return float(np.sqrt((whitened**2).mean()))


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmenterBundle:
    """A bundle that was read whole and whose digests are right."""

    path: Path
    digest: str
    manifest: SegmenterManifest
    look: LesionLook = field(repr=False)
    model_bytes: bytes = field(repr=False)
    golden_bytes: bytes = field(repr=False)


def load_segmenter(path: Path) -> SegmenterBundle:
    """Read a bundle directory.

    Raises:
        PermanentError: `bad-bundle`, with the file that is missing, changed or wrong.
    """
    manifest_bytes = bundle_files.read(path, MANIFEST)
    try:
        manifest = decode_json(SegmenterManifest, manifest_bytes)
    except PermanentError as error:
        raise PermanentError(Reason.BAD_BUNDLE, f"{path / MANIFEST}: {error.detail}") from error
    contents = bundle_files.read_listed(path, MANIFEST, manifest.files, REQUIRED)
    shapes = {"mean": (None,), "whitening": (None, None)}
    mean, whitening = read_arrays(contents[EMBEDDING], path / EMBEDDING, shapes)
    if len(mean) != len(whitening):
        raise PermanentError(Reason.BAD_BUNDLE, f"{path / EMBEDDING}: mean and whitening don't fit each other")
    return SegmenterBundle(
        path=path,
        digest=hashlib.sha256(manifest_bytes).hexdigest(),
        manifest=manifest,
        look=LesionLook(mean=mean, whitening=whitening, max_distance=manifest.max_distance),
        model_bytes=contents[MODEL],
        golden_bytes=contents[GOLDEN],
    )
