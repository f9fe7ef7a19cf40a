"""A model bundle: an immutable directory, named by the SHA-256 of its manifest, digests checked when it is loaded."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final

from digiscope_shared import bundle_files
from digiscope_shared.codec import decode_json
from digiscope_shared.errors import PermanentError, Reason
from digiscope_shared.input_spec import InputSpec
from digiscope_shared.lesions import LesionClass
from digiscope_shared.triage import OperatingPoints

MANIFEST: Final = "manifest.json"
MODEL: Final = "model.tflite"
GOLDEN: Final = "golden.npz"
CARD: Final = "MODEL_CARD.md"
REQUIRED: Final = (MODEL, GOLDEN, CARD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure with its 95 % interval, from bootstraps over lesions."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """`manifest.json`. `files` maps names to SHA-256; `metrics` are of the protocol's test part."""

    SCHEMA: ClassVar[str] = "digiscope.model-bundle/1"

    id: str
    files: Mapping[str, str]
    # In the order of the model's outputs: no code knows it otherwise.
    labels: tuple[LesionClass, ...]
    input_spec: InputSpec
    # Softmax of logits / temperature.
    temperature: float
    operating_points: OperatingPoints
    protocol: str
    leaky: bool
    data_digest: str
    intended_use: str
    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    quantisation: str = "float32"
    licence: str = ""
    created_at: str = ""
    training: Mapping[str, Any] = field(default_factory=dict)
    # The fleet's, over all other fields (`signing.py`); empty where a bundle isn't signed.
    signature: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelBundle:
    """A bundle that was read whole and whose digests are right."""

    path: Path
    digest: str
    manifest: Manifest
    model_bytes: bytes = field(repr=False)
    golden_bytes: bytes = field(repr=False)

    @property
    def model_id(self) -> str:
        return self.manifest.id

    @property
    def labels(self) -> tuple[LesionClass, ...]:
        return self.manifest.labels

    @property
    def input_spec(self) -> InputSpec:
        return self.manifest.input_spec

    @property
    def temperature(self) -> float:
        return self.manifest.temperature

    @property
    def operating_points(self) -> OperatingPoints:
        return self.manifest.operating_points

    @property
    def leaky(self) -> bool:
        return self.manifest.leaky


def load_bundle(path: Path) -> ModelBundle:
    """Read a bundle directory.

    Raises:
        PermanentError: `bad-bundle`, with the file that is missing, changed or wrong.
    """
    manifest_bytes = bundle_files.read(path, MANIFEST)
    try:
        manifest = decode_json(Manifest, manifest_bytes)
    except PermanentError as error:
        raise PermanentError(Reason.BAD_BUNDLE, f"{path / MANIFEST}: {error.detail}") from error
    _check_manifest(path, manifest)
    contents = bundle_files.read_listed(path, MANIFEST, manifest.files, REQUIRED)
    return ModelBundle(
        path=path,
        digest=hashlib.sha256(manifest_bytes).hexdigest(),
        manifest=manifest,
        model_bytes=contents[MODEL],
        golden_bytes=contents[GOLDEN],
    )


def read_manifest(path: Path) -> bytes:
    """Return a bundle's manifest as it was signed; PermanentError `bad-bundle` where it can't be read."""
    return bundle_files.read(path, MANIFEST)


def _check_manifest(path: Path, manifest: Manifest) -> None:
    complaint = (
        "a label comes twice, or there are fewer than two"
        if len(set(manifest.labels)) != len(manifest.labels) or len(manifest.labels) < 2  # noqa: PLR2004, two classes make a choice
        else "the temperature must be above 0"
        if not manifest.temperature > 0
        else ""
    )
    if complaint:
        raise PermanentError(Reason.BAD_BUNDLE, f"{path / MANIFEST}: {complaint}")
