"""A tiny model bundle, trained on nothing: for tests that need any model at all."""

from pathlib import Path
from typing import Any

import keras

from digiscope_cloud.learning.bundle_writer import GoldenData, golden_images, golden_inputs, write_bundle
from digiscope_cloud.learning.litert_export import Quantisation, convert
from digiscope_shared.input_spec import InputSpec
from digiscope_shared.lesions import LesionClass
from digiscope_shared.model_bundle import Manifest, ModelBundle
from digiscope_shared.triage import OperatingPoints

SPEC = InputSpec(height=24, width=32)


def tiny_model(seed: int = 1) -> Any:
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((SPEC.height, SPEC.width, 3)),
            keras.layers.Conv2D(4, 3, strides=2, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(7),
        ]
    )


def tiny_bundle(
    folder: Path, *, leaky: bool = False, seed: int = 1, quantisation: Quantisation = "float32", bundle_id: str = "tiny"
) -> ModelBundle:
    model = tiny_model(seed)
    images = golden_images(SPEC)
    inputs = golden_inputs(images, SPEC)
    manifest = Manifest(
        id=bundle_id,
        files={},
        labels=tuple(LesionClass),
        input_spec=SPEC,
        temperature=1.5,
        operating_points=OperatingPoints(review_from=0.2, refer_from=0.6),
        protocol="paper" if leaky else "grouped-v1",
        leaky=leaky,
        data_digest="0" * 64,
        intended_use="tests",
        quantisation=quantisation,
    )
    golden = GoldenData(images_bgr=images, logits=model.predict_on_batch(inputs))
    return write_bundle(folder, manifest, convert(model, SPEC, quantisation, inputs), golden, "# tiny\n")
