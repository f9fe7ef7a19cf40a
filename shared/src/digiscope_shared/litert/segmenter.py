"""A segmenter's bundle, served by LiteRT."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from digiscope_shared.bundle_arrays import read_arrays
from digiscope_shared.errors import PermanentError, Reason
from digiscope_shared.model_bundle import GOLDEN
from digiscope_shared.model_input import build_input
from digiscope_shared.segmenter_bundle import SegmenterBundle

try:
    from ai_edge_litert.interpreter import Interpreter
except ModuleNotFoundError:  # Older 32-bit boards have only its predecessor, which has the same interface.
    from tflite_runtime.interpreter import Interpreter

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float32]
    FrameBgr: TypeAlias = NDArray[np.uint8]
else:
    Floats: TypeAlias = Any
    FrameBgr: TypeAlias = Any

# Kernels differ in the last digits from processor to processor; a wrong model differs in the first.
GOLDEN_TOLERANCE: Final = 2e-2


@dataclass(frozen=True, slots=True)
class Segmentation:
    """The frame's `probabilities` of lesion, height × width of the model's input, and its embedding."""

    probabilities: Floats
    embedding: Floats


class LiteRtSegmenter:
    """One instance belongs to one thread."""

    def __init__(self, bundle: SegmenterBundle, *, threads: int = 1) -> None:
        self._bundle = bundle
        try:
            self._interpreter = Interpreter(model_content=bundle.model_bytes, num_threads=threads)
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise PermanentError(Reason.BAD_BUNDLE, f"{bundle.path}: LiteRT can't load the model: {error}") from error
        model_input, spec = self._interpreter.get_input_details()[0], bundle.manifest.input_spec
        if tuple(model_input["shape"]) != (1, spec.height, spec.width, 3):
            raise PermanentError(Reason.BAD_BUNDLE, f"{bundle.path}: the model's shapes are not the manifest's")
        self._input = model_input["index"]
        # The converter doesn't keep the outputs' order; their ranks tell them apart.
        outputs = {len(output["shape"]): output["index"] for output in self._interpreter.get_output_details()}
        try:
            self._mask, self._embedding = outputs[4], outputs[2]
        except KeyError as error:
            raise PermanentError(Reason.BAD_BUNDLE, f"{bundle.path}: not a segmenter's outputs") from error

    @property
    def bundle(self) -> SegmenterBundle:
        return self._bundle

    def segment(self, image_bgr: FrameBgr) -> Segmentation:
        """Look at the whole frame, any size."""
        return self._run(build_input(image_bgr, self._bundle.manifest.input_spec)[None])

    def verify_golden(self) -> None:
        """Check that this machine computes what the trainer computed.

        Raises:
            PermanentError: `bad-bundle`, with the largest difference.
        """
        bundle, spec = self._bundle, self._bundle.manifest.input_spec
        shapes = {"images_bgr": (None, None, None, 3), "probabilities": (None, spec.height, spec.width)}
        images_bgr, expected = read_arrays(bundle.golden_bytes, bundle.path / GOLDEN, shapes)
        if images_bgr.dtype != np.uint8 or len(images_bgr) != len(expected):
            raise PermanentError(Reason.BAD_BUNDLE, f"{bundle.path / GOLDEN}: images and masks don't fit each other")
        pairs = zip(images_bgr, expected, strict=True)
        difference = max(float(np.abs(self.segment(image).probabilities - mask).max()) for image, mask in pairs)
        if not difference <= GOLDEN_TOLERANCE:
            detail = f"{self._bundle.path}: golden masks differ by {difference:.2g}, allowed is {GOLDEN_TOLERANCE}"
            raise PermanentError(Reason.BAD_BUNDLE, detail)

    def _run(self, inputs: Floats) -> Segmentation:
        self._interpreter.set_tensor(self._input, inputs)
        self._interpreter.invoke()
        return Segmentation(
            np.array(self._interpreter.get_tensor(self._mask)[0, ..., 0], np.float32),
            np.array(self._interpreter.get_tensor(self._embedding)[0], np.float32),
        )
