"""From a Keras model to LiteRT, and the check that both say the same."""

from collections.abc import Iterator
from typing import Any, Literal

import keras
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from digiscope_shared.input_spec import InputSpec

Quantisation = Literal["float32", "float16", "int8"]


def convert(model: keras.Model, spec: InputSpec, quantisation: Quantisation, samples: Any) -> bytes:
    """Return the flat buffer for N × height × width × 3 in, float32, N × logits out, float32.

    float16 keeps the weights in half precision; int8 is full integer inside, its ranges taken from `samples` (inputs).
    """
    signature = tf.TensorSpec((None, spec.height, spec.width, 3), tf.float32)
    function = tf.function(lambda inputs: model(inputs, training=False), input_signature=[signature])
    # The converter loses the variables of a Keras 3 model, and SavedModel refuses layers named like PyTorch's.
    frozen = convert_variables_to_constants_v2(function.get_concrete_function())
    converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen])
    if quantisation == "float16":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    elif quantisation == "int8":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = lambda: _one_by_one(samples)
    return bytes(converter.convert())


def _one_by_one(samples: Any) -> Iterator[list[Any]]:
    for sample in samples:
        yield [sample[None]]
