"""Bundles of models and segmenters: manifests and arrays. The model's own file is held by digest and signature."""

import hashlib
import io
import json
from dataclasses import replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from digiscope_shared import model_bundle, segmenter_bundle
from digiscope_shared.litert.classifier import LiteRtClassifier
from digiscope_shared.litert.segmenter import LiteRtSegmenter
from digiscope_shared.model_input import build_input
from tests.fuzz.json_mutation import bodies
from tests.fuzz.mutation import mutated
from tests.fuzz.target import Bytes, Target

_EMBEDDING_DIMENSIONS: Final = 3


def _npz(**named: Any) -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, **named)
    return out.getvalue()


def _look(**changed: Any) -> bytes:
    dimensions = _EMBEDDING_DIMENSIONS
    sound = {"mean": np.zeros(dimensions, np.float32), "whitening": np.eye(dimensions, dtype=np.float32)}
    return _npz(**(sound | changed))


def _golden(**changed: Any) -> bytes:
    sound = {"images_bgr": np.zeros((1, 4, 6, 3), np.uint8), "probabilities": np.zeros((1, 7), np.float32)}
    return _npz(**(sound | changed))


_FILES: Final = {
    model_bundle.MODEL: b"model",
    model_bundle.GOLDEN: _golden(),
    model_bundle.CARD: b"# tiny\n",
    segmenter_bundle.EMBEDDING: _look(),
}


def _manifest(schema: str, names: tuple[str, ...], **fields: Any) -> dict[str, Any]:
    digests = {name: hashlib.sha256(_FILES[name]).hexdigest() for name in names}
    common = {"protocol": "grouped-v1", "leaky": False, "data_digest": "0" * 64, "intended_use": "tests", "id": "tiny"}
    spec = {"height": 24, "width": 32, "crop": "whole", "colour_order": "bgr", "scale": 1.0, "offset": 0.0}
    metrics = {"auroc": {"value": 0.9, "low": 0.8, "high": 1.0}}
    return {"schema": schema, "files": digests, "input_spec": spec, "metrics": metrics} | common | fields


_MODEL: Final = _manifest(
    model_bundle.Manifest.SCHEMA,
    model_bundle.REQUIRED,
    labels=["mel", "nv", "bcc"],
    temperature=1.5,
    operating_points={"review_from": 0.2, "refer_from": 0.6},
    training={"epochs": 3},
)
_SEGMENTER: Final = _manifest(segmenter_bundle.SegmenterManifest.SCHEMA, segmenter_bundle.REQUIRED, max_distance=2.0)


@cache
def _folder() -> TemporaryDirectory[str]:
    folder = TemporaryDirectory(prefix="digiscope-fuzz-")
    for name, content in _FILES.items():
        (Path(folder.name) / name).write_bytes(content)
    return folder


def _bundle_with(**changed: bytes) -> Path:
    path = Path(_folder().name)
    for name, content in changed.items():
        (path / name.replace("_", ".")).write_bytes(content)
    return path


def check_model_manifest(content: bytes) -> None:
    """Load a bundle with this manifest."""
    bundle = model_bundle.load_bundle(_bundle_with(manifest_json=content))
    assert bundle.temperature > 0
    assert len(set(bundle.labels)) == len(bundle.labels)
    assert set(model_bundle.REQUIRED) <= set(bundle.manifest.files)


def check_segmenter_manifest(content: bytes) -> None:
    """Load a segmenter's bundle with this manifest."""
    bundle = segmenter_bundle.load_segmenter(_bundle_with(manifest_json=content))
    assert set(segmenter_bundle.REQUIRED) <= set(bundle.manifest.files)


def check_embedding(content: bytes) -> None:
    """Load a segmenter's bundle with this embedding, its digest put right: what loads can measure."""
    digest = hashlib.sha256(content).hexdigest()
    manifest = _SEGMENTER | {"files": _SEGMENTER["files"] | {segmenter_bundle.EMBEDDING: digest}}
    folder = _bundle_with(manifest_json=json.dumps(manifest).encode(), embedding_npz=content)
    look = segmenter_bundle.load_segmenter(folder).look
    look.distance(np.zeros(len(look.mean), np.float32))


def check_golden(content: bytes) -> None:
    """Compare a device's arithmetic with it, for a model that is sound."""
    classifier = _classifier()
    classifier._bundle = replace(classifier.bundle, golden_bytes=content)
    classifier.verify_golden()


def check_golden_masks(content: bytes) -> None:
    """Compare a device's masks with it, for a segmenter that is sound."""
    segmenter = _segmenter()
    segmenter._bundle = replace(segmenter.bundle, golden_bytes=content)
    segmenter.verify_golden()


@cache
def _classifier() -> LiteRtClassifier:
    return LiteRtClassifier(model_bundle.load_bundle(Path(str(files("digiscope_edge"))) / "bundles" / "prescreen"))


@cache
def _segmenter() -> LiteRtSegmenter:
    return LiteRtSegmenter(segmenter_bundle.load_segmenter(segmenter_bundle.DEFAULT_BUNDLE))


_ODD_ARRAYS: Final = arrays.arrays(
    dtype=st.sampled_from([np.dtype(name) for name in ("u1", "f4", "f8", "i8", "c8", "U3", "?", "M8[s]")]),
    shape=arrays.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4),
)


def _golden_answers() -> Bytes:
    image, spec = np.zeros((4, 6, 3), np.uint8), _classifier().bundle.input_spec
    answers = _classifier().probabilities(build_input(image, spec)[None])
    return _archives(_golden, "images_bgr", "probabilities", sound=_golden(probabilities=answers))


def _golden_masks() -> Bytes:
    mask = _segmenter().segment(np.zeros((4, 6, 3), np.uint8)).probabilities
    return _archives(_golden, "images_bgr", "probabilities", sound=_golden(probabilities=mask[None]))


def _archives(make: Any, *names: str, sound: bytes = b"") -> Bytes:
    odd = st.builds(lambda name, value: make(**{name: value}), st.sampled_from([*names, "later"]), _ODD_ARRAYS)
    objects = make(**{names[0]: np.array([{}], dtype=object)})
    plain = io.BytesIO()
    np.save(plain, np.zeros(3))
    return mutated([sound or make(), objects, plain.getvalue()]) | odd


TARGETS: Final = (
    Target(name="model-manifests", inputs=bodies([_MODEL]), check=check_model_manifest),
    Target(name="segmenter-manifests", inputs=bodies([_SEGMENTER]), check=check_segmenter_manifest),
    Target(name="embeddings", inputs=_archives(_look, "mean", "whitening"), check=check_embedding, weight=3),
    Target(
        name="golden-answers",
        inputs=st.deferred(_golden_answers),
        check=check_golden,
        weight=3,
        limit_mb=64,
    ),
    Target(
        name="golden-masks",
        inputs=st.deferred(_golden_masks),
        check=check_golden_masks,
        weight=2,
        limit_mb=64,
    ),
)
