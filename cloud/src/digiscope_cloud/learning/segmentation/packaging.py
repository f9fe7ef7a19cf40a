"""From trained weights to a bundle that was measured as it will serve."""

import hashlib
import io
import shutil
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import keras
import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf

from digiscope_cloud.learning.litert_export import convert
from digiscope_cloud.learning.segmentation import dataset, evaluation, otsu
from digiscope_cloud.learning.segmentation.card import write_card
from digiscope_cloud.learning.segmentation.settings import SegmentationSettings
from digiscope_shared.codec import encode_json
from digiscope_shared.imaging.decode import FrameBgr
from digiscope_shared.imaging.masks import Mask, lesion_mask
from digiscope_shared.imaging.phantoms import draw_phantom
from digiscope_shared.litert.segmenter import LiteRtSegmenter
from digiscope_shared.model_bundle import CARD, GOLDEN, MANIFEST, MODEL, Estimate
from digiscope_shared.model_input import build_input, resize, scale_pixels
from digiscope_shared.segmenter_bundle import EMBEDDING, SegmenterManifest, load_segmenter

PROTOCOL: Final = "grouped-v1"
INTENDED_USE: Final = (
    "Outlines one lesion in a dermatoscopic image, for measurements and for showing where the model looks. "
    "Research use only, not a diagnosis."
)
LICENCE: Final = (
    "Weights: trained on HAM10000 (Tschandl, Rosendahl, Kittler, Sci. Data 5:180161, 2018; CC BY-NC 4.0): "
    "non-commercial use with attribution."
)
_GOLDEN_SEEDS: Final = (11, 23)
# That share of pictures with lesions may be called something else.
FALSE_REFUSALS: Final = 0.02
_LEAST_SPREAD: Final = 0.01


def package(
    model: keras.Model, settings: SegmentationSettings, train: dataset.MaskedImages, data_dir: Path, folder: Path
) -> SegmenterManifest:
    """Write the bundle to `folder`, measure it on val and cal, write the figures into it, and return its manifest."""
    serving = keras.Model(model.input, [keras.layers.Activation("sigmoid")(model.output[0]), model.output[1]])
    flat = convert(serving, settings.input_spec, "float16", None)
    contents = {MODEL: flat, GOLDEN: _golden(serving, settings), EMBEDDING: _lesion_look(model, settings, train)}
    manifest = SegmenterManifest(
        id=f"segmenter-{datetime.now(UTC):%Y%m%d}",
        files={},
        input_spec=settings.input_spec,
        max_distance=1e9,
        protocol=PROTOCOL,
        leaky=False,
        data_digest=hashlib.sha256("\n".join(train.names).encode()).hexdigest(),
        intended_use=INTENDED_USE,
        quantisation="float16",
        licence=LICENCE,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        training={"network": "residual U-Net", "parameters": model.count_params(), **asdict(settings)},
    )
    _write(folder, manifest, contents)
    measured = _measured(folder, manifest, data_dir)
    return _write(folder, measured, {**contents, CARD: write_card(measured, len(flat)).encode()})


def _measured(folder: Path, manifest: SegmenterManifest, data_dir: Path) -> SegmenterManifest:
    segmenter = LiteRtSegmenter(load_segmenter(folder))
    segmenter.verify_golden()

    def segment(image_bgr: FrameBgr) -> Mask:
        height, width = image_bgr.shape[:2]
        return lesion_mask(segmenter.segment(image_bgr).probabilities, width=width, height=height)

    groups = evaluation.lesion_groups(data_dir)
    metrics: dict[str, Estimate] = {}
    for part in ("val", "cal"):
        images = dataset.load(data_dir, part)
        metrics |= evaluation.figures(segment, images, groups, part)
        metrics |= evaluation.figures(otsu.segment, images, groups, f"{part}.otsu")
    look = segmenter.bundle.look
    distances = [
        look.distance(segmenter.segment(image).embedding) for image in dataset.load(data_dir, "cal").images_bgr
    ]
    return replace(manifest, metrics=metrics, max_distance=float(np.quantile(distances, 1 - FALSE_REFUSALS)))


def _golden(serving: keras.Model, settings: SegmentationSettings) -> bytes:
    images = np.stack([resize(draw_phantom(seed), settings.input_spec) for seed in _GOLDEN_SEEDS])
    inputs = np.stack([build_input(image, settings.input_spec) for image in images])
    probabilities = np.asarray(serving.predict_on_batch(inputs)[0])[..., 0]
    return _packed(images_bgr=images, probabilities=probabilities.astype(np.float32))


def _lesion_look(model: keras.Model, settings: SegmentationSettings, train: dataset.MaskedImages) -> bytes:
    batches = np.array_split(train.images_bgr, max(1, len(train.names) // 64))
    embeddings = np.concatenate(
        [np.asarray(model.predict_on_batch(scale_pixels(batch, settings.input_spec))[1]) for batch in batches]
    )
    spread = LedoitWolf().fit(embeddings.astype(np.float64))
    # Channels that never fire have no spread; without a floor, noise in them would decide the distance.
    floor = _LEAST_SPREAD * np.trace(spread.covariance_) / len(spread.covariance_)
    whitening = np.linalg.cholesky(np.linalg.inv(spread.covariance_ + floor * np.eye(len(spread.covariance_))))
    return _packed(mean=spread.location_.astype(np.float32), whitening=whitening.astype(np.float32))


def _packed(**arrays: NDArray[Any]) -> bytes:
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)  # type: ignore[arg-type] # numpy's stub takes them for its option
    return packed.getvalue()


def _write(folder: Path, manifest: SegmenterManifest, contents: Mapping[str, bytes]) -> SegmenterManifest:
    contents = {CARD: b"", **contents}
    listed = replace(manifest, files={name: hashlib.sha256(content).hexdigest() for name, content in contents.items()})
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / MANIFEST).write_bytes(msgspec.json.format(encode_json(listed), indent=1) + b"\n")
    return listed
