"""A model bundle, served by LiteRT."""

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from digiscope_shared.bundle_arrays import read_arrays
from digiscope_shared.errors import PermanentError, Reason
from digiscope_shared.model_bundle import GOLDEN, ModelBundle
from digiscope_shared.model_input import build_input

try:
    from ai_edge_litert.interpreter import Interpreter
except ModuleNotFoundError:  # Older 32-bit boards have only its predecessor, which has the same interface.
    from tflite_runtime.interpreter import Interpreter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float32]
else:
    Floats: TypeAlias = Any

# Kernels differ in the last digits from processor to processor; a wrong model differs in the first.
GOLDEN_TOLERANCE: Final = 5e-3


class LiteRtClassifier:
    """Class probabilities from inputs that `build_input` made. One instance belongs to one thread."""

    def __init__(self, bundle: ModelBundle, *, threads: int = 1) -> None:
        self._bundle = bundle
        try:
            self._interpreter = Interpreter(model_content=bundle.model_bytes, num_threads=threads)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise PermanentError(Reason.BAD_BUNDLE, f"{bundle.path}: LiteRT can't load the model: {error}") from error
        self._input = self._interpreter.get_input_details()[0]
        self._output = self._interpreter.get_output_details()[0]
        self._check_shapes()

    @property
    def bundle(self) -> ModelBundle:
        return self._bundle

    @property
    def digest(self) -> str:
        return self._bundle.digest

    def probabilities(self, inputs: Floats) -> Floats:
        """Return N × classes, calibrated, for N × height × width × 3."""
        return softmax(self.logits(inputs) / np.float32(self._bundle.temperature))

    def logits(self, inputs: Floats) -> Floats:
        """Return N × classes as the model gives them, before temperature."""
        count = len(inputs)
        if count == 0:
            return np.zeros((0, len(self._bundle.labels)), np.float32)
        if self._input["shape"][0] != count:
            self._interpreter.resize_tensor_input(self._input["index"], inputs.shape)
            self._interpreter.allocate_tensors()
            self._input = self._interpreter.get_input_details()[0]
        self._interpreter.set_tensor(self._input["index"], inputs)
        self._interpreter.invoke()
        return np.array(self._interpreter.get_tensor(self._output["index"]), np.float32)

    def verify_golden(self) -> None:
        """Check that this machine computes what the trainer computed.

        Raises:
            PermanentError: `bad-bundle`, with the largest difference.
        """
        bundle = self._bundle
        shapes = {"images_bgr": (None, None, None, 3), "probabilities": (None, len(bundle.labels))}
        images_bgr, expected = read_arrays(bundle.golden_bytes, bundle.path / GOLDEN, shapes)
        if images_bgr.dtype != np.uint8 or len(images_bgr) != len(expected):
            raise PermanentError(Reason.BAD_BUNDLE, f"{bundle.path / GOLDEN}: images and answers don't fit each other")
        inputs = np.stack([build_input(image, self._bundle.input_spec) for image in images_bgr])
        difference = float(np.abs(self.probabilities(inputs) - expected).max())
        if not difference <= GOLDEN_TOLERANCE:
            detail = f"{self._bundle.path}: golden outputs differ by {difference:.2g}, allowed is {GOLDEN_TOLERANCE}"
            raise PermanentError(Reason.BAD_BUNDLE, detail)

    def _check_shapes(self) -> None:
        spec, shape = self._bundle.input_spec, tuple(self._input["shape"][1:])
        if shape != (spec.height, spec.width, 3) or self._output["shape"][-1] != len(self._bundle.labels):
            raise PermanentError(Reason.BAD_BUNDLE, f"{self._bundle.path}: the model's shapes are not the manifest's")


def softmax(logits: Floats) -> Floats:
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True), np.float32)
