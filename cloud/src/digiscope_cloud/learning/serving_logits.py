"""Logits as they are served: the one input function, then LiteRT."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from digiscope_cloud.learning.datasets.examples import ImagesBgr
from digiscope_shared.input_spec import InputSpec
from digiscope_shared.model_input import build_input

_BATCH: Final = 32


def litert_logits(model: bytes, spec: InputSpec, images_bgr: Sequence[ImagesBgr]) -> Any:
    """Return rows × classes, before temperature."""
    interpreter = Interpreter(model_content=model, num_threads=2)
    rows = []
    for start in range(0, len(images_bgr), _BATCH):
        inputs = np.stack([build_input(image, spec) for image in images_bgr[start : start + _BATCH]])
        source, result = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
        interpreter.resize_tensor_input(source, inputs.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(source, inputs)
        interpreter.invoke()
        rows.append(np.array(interpreter.get_tensor(result)))
    return np.concatenate(rows)
