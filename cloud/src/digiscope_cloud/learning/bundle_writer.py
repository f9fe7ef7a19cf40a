"""Writes a bundle: files first, the manifest with their digests last, then the whole folder in place at once."""

import hashlib
import io
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from digiscope_cloud.learning.metrics import softmax
from digiscope_shared.codec import encode_json
from digiscope_shared.imaging.phantoms import draw_phantom
from digiscope_shared.input_spec import InputSpec
from digiscope_shared.litert.classifier import LiteRtClassifier
from digiscope_shared.model_bundle import CARD, GOLDEN, MANIFEST, MODEL, Manifest, ModelBundle, load_bundle
from digiscope_shared.model_input import build_input, resize

GOLDEN_SEEDS: Final = (11, 23, 37, 51)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenData:
    """Drawn lesions at the model's size, no patient's image, and what the converted model makes of them here."""

    images_bgr: Any
    logits: Any


def golden_images(spec: InputSpec) -> Any:
    return np.stack([resize(draw_phantom(seed), spec) for seed in GOLDEN_SEEDS])


def golden_inputs(images_bgr: Any, spec: InputSpec) -> Any:
    return np.stack([build_input(image, spec) for image in images_bgr])


def write_bundle(folder: Path, manifest: Manifest, model: bytes, golden: GoldenData, card: str) -> ModelBundle:
    """Write and load again; golden outputs are checked on LiteRT before the folder takes its place.

    Raises:
        PermanentError: LiteRT says something else than the trainer's model did.
    """
    probabilities = softmax(golden.logits / manifest.temperature).astype(np.float32)
    packed = io.BytesIO()
    np.savez_compressed(packed, images_bgr=golden.images_bgr, probabilities=probabilities)
    contents = {MODEL: model, GOLDEN: packed.getvalue(), CARD: card.encode()}
    draft = folder.with_name(folder.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for name, content in contents.items():
        (draft / name).write_bytes(content)
    (draft / MANIFEST).write_bytes(_indented(replace(manifest, files=_digests(contents))))
    LiteRtClassifier(load_bundle(draft)).verify_golden()
    shutil.rmtree(folder, ignore_errors=True)
    draft.replace(folder)
    return load_bundle(folder)


def _digests(contents: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}


def _indented(manifest: Manifest) -> bytes:
    return msgspec.json.format(encode_json(manifest), indent=1) + b"\n"
