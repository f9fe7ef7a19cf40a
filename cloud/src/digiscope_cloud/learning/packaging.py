"""From a trained model to a bundle: temperature and operating points from cal, figures from test, read once."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import keras
import msgspec
import numpy as np

from digiscope_cloud.learning.bundle_writer import GoldenData, golden_images, golden_inputs, write_bundle
from digiscope_cloud.learning.calibration import choose_operating_points, fit_temperature
from digiscope_cloud.learning.config import TrainingConfig
from digiscope_cloud.learning.datasets.examples import Example
from digiscope_cloud.learning.evaluation import evaluate
from digiscope_cloud.learning.litert_export import Quantisation, convert
from digiscope_cloud.learning.metrics import balanced_accuracy, expected_calibration_error, softmax
from digiscope_cloud.learning.model_card import CardFacts, write_card
from digiscope_cloud.learning.networks.serving import with_shift, with_views
from digiscope_cloud.learning.part_data import LABELS, PartData
from digiscope_cloud.learning.serving_logits import litert_logits
from digiscope_cloud.learning.subgroups import subgroups
from digiscope_shared.errors import PermanentError, Reason
from digiscope_shared.model_bundle import Manifest, ModelBundle

# A smaller file must not cost more balanced accuracy than this, on val.
MAX_QUANTISATION_LOSS: Final = 0.005
# Of probabilities on golden inputs; half precision and bytes round more.
MAX_CONVERSION_DIFFERENCE: Final[dict[Quantisation, float]] = {"float32": 1e-3, "float16": 0.02, "int8": 0.1}
_BACKBONE_LICENCE: Final = "ImageNet weights of EfficientNet-Lite0 that it started from: Apache-2.0."


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    validation: PartData
    calibration: PartData
    test: PartData
    sizes: Mapping[str, int]
    # Of the training part, as it comes.
    class_counts: Any
    digest: str
    name: str
    protocol: str
    leaky: bool


def package(config: TrainingConfig, trained: keras.Model, parts: Parts, folder: Path) -> ModelBundle:
    """Convert, calibrate, measure and write; every figure is of the LiteRT model that serves."""
    model = served(config, trained, parts.class_counts)
    quantisation, flat = choose_format(config, model, parts.validation)
    calibration = litert_logits(flat, config.input, parts.calibration.images_bgr)
    temperature = fit_temperature(parts.calibration.classes, calibration)
    points = choose_operating_points(parts.calibration.classes, softmax(calibration / temperature), LABELS)
    test = litert_logits(flat, config.input, parts.test.images_bgr)
    probabilities = softmax(test / temperature)
    groups = [example.group for example in parts.test.examples]
    manifest = Manifest(
        id=config.id,
        files={},
        labels=LABELS,
        input_spec=config.input,
        temperature=temperature,
        operating_points=points,
        protocol=parts.protocol,
        leaky=parts.leaky,
        data_digest=parts.digest,
        intended_use=config.intended_use,
        metrics=evaluate(parts.test.classes, probabilities, LABELS, groups),
        quantisation=quantisation,
        licence="CC BY-NC 4.0",
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        training=msgspec.to_builtins(config) | {"network": config.network.name},
    )
    facts = CardFacts(
        parameters=trained.count_params(),
        model_bytes=len(flat),
        data_name=parts.name,
        part_sizes=parts.sizes,
        ece_before_temperature=expected_calibration_error(parts.test.classes, softmax(test)),
        subgroups=subgroups(parts.test, probabilities),
        unreadable=parts.test.unreadable,
        extra_licence=_BACKBONE_LICENCE if "efficientnet" in config.network.name else "",
    )
    images = golden_images(config.input)
    golden = GoldenData(images_bgr=images, logits=litert_logits(flat, config.input, list(images)))
    keras_logits = np.asarray(model.predict_on_batch(golden_inputs(images, config.input)))
    _check_agreement(softmax(golden.logits / temperature), softmax(keras_logits / temperature), quantisation)
    return write_bundle(folder, manifest, flat, golden, write_card(manifest, facts))


def served(config: TrainingConfig, trained: keras.Model, class_counts: Any) -> keras.Model:
    """Return the trained network with its views and its prior shift."""
    model = with_views(trained, config.views)
    if not config.prior_shift:
        return model
    log_shares = np.log(np.maximum(class_counts, 1) / class_counts.sum())
    return with_shift(model, config.prior_shift * (log_shares - log_shares.mean()))


def _check_agreement(served: Any, trained: Any, quantisation: Quantisation) -> None:
    difference = float(np.abs(served - trained).max())
    if not difference <= MAX_CONVERSION_DIFFERENCE[quantisation]:
        raise PermanentError(Reason.BAD_BUNDLE, f"LiteRT ({quantisation}) differs from Keras by {difference:.2g}")


def choose_format(config: TrainingConfig, model: keras.Model, validation: PartData) -> tuple[Quantisation, bytes]:
    """Return the config's format, or float32 where it costs too much balanced accuracy on val."""
    samples = golden_inputs(validation.images_bgr[:200], config.input)
    plain = convert(model, config.input, "float32", samples)
    if config.quantisation == "float32":
        return "float32", plain
    small = convert(model, config.input, config.quantisation, samples)
    loss = _validated(plain, config, validation) - _validated(small, config, validation)
    kept = loss <= MAX_QUANTISATION_LOSS
    return (config.quantisation, small) if kept else ("float32", plain)


def rows_digest(examples: Sequence[Example], parts: Sequence[Any]) -> str:
    """Return SHA-256 of which image is in which part."""
    lines = sorted(f"{example.image_id},{part}" for example, part in zip(examples, parts, strict=True))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _validated(flat: bytes, config: TrainingConfig, validation: PartData) -> float:
    logits = litert_logits(flat, config.input, validation.images_bgr)
    return balanced_accuracy(validation.classes, logits.argmax(1))
