"""Bundles: written, loaded, refused; and one input for edge, worker and trainer."""

import inspect
import json
from pathlib import Path

import numpy as np
import pytest

from digiscope_cloud.learning import bundle_scoring, predicting, serving_logits
from digiscope_cloud.learning.batches import stage_spec
from digiscope_cloud.learning.bundle_writer import golden_images, golden_inputs
from digiscope_cloud.learning.config import Stage
from digiscope_cloud.learning.litert_export import Quantisation, convert
from digiscope_cloud.learning.networks import efficientnet_lite
from digiscope_cloud.learning.networks.serving import with_shift, with_views
from digiscope_cloud.learning.serving_logits import litert_logits
from digiscope_cloud.worker.adapters import image_process
from digiscope_edge.adapters import litert_prescreen
from digiscope_shared.errors import PermanentError, Reason
from digiscope_shared.imaging.phantoms import draw_phantom
from digiscope_shared.input_spec import InputSpec
from digiscope_shared.litert.classifier import LiteRtClassifier
from digiscope_shared.model_bundle import MODEL, load_bundle
from digiscope_shared.model_input import build_input
from tests.support.model_bundles import SPEC, tiny_bundle, tiny_model


@pytest.fixture(scope="module")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle") / "tiny"
    tiny_bundle(folder)
    return folder


def _copy(folder: Path, to: Path) -> Path:
    to.mkdir()
    for path in folder.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    return to


def test_probabilities_are_calibrated_and_batches_may_have_any_size(bundle_folder: Path) -> None:
    bundle = load_bundle(bundle_folder)
    classifier = LiteRtClassifier(bundle)
    inputs = golden_inputs(golden_images(SPEC), SPEC)
    together = classifier.probabilities(inputs)
    assert together.shape == (4, 7)
    np.testing.assert_allclose(together.sum(axis=1), 1, rtol=1e-5)
    alone = np.concatenate([classifier.probabilities(one[None]) for one in inputs])
    np.testing.assert_allclose(alone, together, atol=1e-5)
    assert classifier.probabilities(inputs[:0]).shape == (0, 7)
    logits = classifier.logits(inputs)
    warm = np.exp(logits / 1.5) / np.exp(logits / 1.5).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(together, warm, rtol=1e-4)


def test_a_changed_file_is_refused(bundle_folder: Path, tmp_path: Path) -> None:
    copy = _copy(bundle_folder, tmp_path / "b")
    content = bytearray((copy / MODEL).read_bytes())
    content[-1] ^= 1
    (copy / MODEL).write_bytes(content)
    with pytest.raises(PermanentError, match="digest") as caught:
        load_bundle(copy)
    assert caught.value.reason is Reason.BAD_BUNDLE


@pytest.mark.parametrize("name", ["manifest.json", "model.tflite", "golden.npz", "MODEL_CARD.md"])
def test_a_missing_file_is_named(bundle_folder: Path, tmp_path: Path, name: str) -> None:
    copy = _copy(bundle_folder, tmp_path / "b")
    (copy / name).unlink()
    with pytest.raises(PermanentError, match=name):
        load_bundle(copy)


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("labels", ["mel", "mel", "nv"], "twice"),
        ("temperature", 0.0, "above 0"),
        ("files", {"../evil": "0" * 64}, "lists no"),
        ("schema", "digiscope.model-bundle/9", "manifest"),
    ],
)
def test_a_wrong_manifest_is_refused(
    bundle_folder: Path, tmp_path: Path, field: str, value: object, complaint: str
) -> None:
    copy = _copy(bundle_folder, tmp_path / "b")
    manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    (copy / "manifest.json").write_text(json.dumps(manifest | {field: value}), encoding="utf-8")
    with pytest.raises(PermanentError, match=complaint):
        load_bundle(copy)


def test_a_file_outside_of_the_bundle_is_refused(bundle_folder: Path, tmp_path: Path) -> None:
    copy = _copy(bundle_folder, tmp_path / "b")
    manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    manifest["files"]["../evil"] = "0" * 64
    (copy / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(PermanentError, match="plain file name"):
        load_bundle(copy)


def test_golden_outputs_of_another_model_are_refused(bundle_folder: Path, tmp_path: Path) -> None:
    other = tiny_bundle(tmp_path / "other", seed=2)
    mixed = load_bundle(bundle_folder)
    swapped = type(mixed)(
        path=mixed.path,
        digest=mixed.digest,
        manifest=mixed.manifest,
        model_bytes=mixed.model_bytes,
        golden_bytes=other.golden_bytes,
    )
    LiteRtClassifier(mixed).verify_golden()
    with pytest.raises(PermanentError, match="golden"):
        LiteRtClassifier(swapped).verify_golden()


@pytest.mark.parametrize(("quantisation", "tolerance"), [("float32", 1e-4), ("float16", 5e-3), ("int8", 0.1)])
def test_litert_says_what_keras_says(quantisation: Quantisation, tolerance: float) -> None:
    model = tiny_model()
    images = golden_images(SPEC)
    inputs = golden_inputs(images, SPEC)
    expected = model.predict_on_batch(inputs)
    found = litert_logits(convert(model, SPEC, quantisation, inputs), SPEC, list(images))
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


def test_edge_worker_and_trainer_build_the_same_bytes() -> None:
    for module in (bundle_scoring, predicting, serving_logits, litert_prescreen):
        assert module.build_input is build_input, module.__name__
    # The worker's child process imports it when it starts.
    assert "from digiscope_shared.model_input import build_input" in inspect.getsource(image_process)
    frame = draw_phantom(3)
    spec = stage_spec(SPEC, Stage(epochs=1, height=24, width=32, batch=1))
    assert build_input(frame, spec).tobytes() == build_input(frame.copy(), SPEC).tobytes()


def test_any_input_size_is_served_by_one_network() -> None:
    model = efficientnet_lite.build(7, exits="early")
    spec = InputSpec(height=48, width=64)
    images = list(golden_images(spec))
    expected = model.predict_on_batch(golden_inputs(images, spec))
    np.testing.assert_allclose(litert_logits(convert(model, spec, "float32", None), spec, images), expected, atol=1e-3)


def test_views_are_the_mean_over_mirror_images() -> None:
    model, images = tiny_model(), golden_images(SPEC)
    turned = (images, images[:, :, ::-1], images[:, ::-1], images[:, ::-1, ::-1])
    expected = np.mean([model.predict_on_batch(golden_inputs(view, SPEC)) for view in turned], axis=0)
    served = with_views(model, 4)
    found = litert_logits(convert(served, SPEC, "float32", None), SPEC, list(images))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_shift_is_added_to_the_logits() -> None:
    model, images = tiny_model(), golden_images(SPEC)
    shift = np.arange(7) / 10
    found = litert_logits(convert(with_shift(model, shift), SPEC, "float32", None), SPEC, list(images))
    np.testing.assert_allclose(found - shift, model.predict_on_batch(golden_inputs(images, SPEC)), atol=1e-4)
