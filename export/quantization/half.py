"""FP32 to FP16 inside, FP32 at the boundary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evertune.errors import ExportError
from evertune.tensors import Tensors
from export.quantization.values import largest_values

if TYPE_CHECKING:
    from onnx import ModelProto

LARGEST = 65504.0  # of FP16
_MARGIN = 2.0  # other rows may give larger values than calibration rows do


def to_half(model: ModelProto, samples: Tensors) -> ModelProto:
    """Every number in FP16 except inputs and outputs.

    The converter cuts weights that FP16 cannot hold to the largest that it can, without a word.

    Args:
        model: FP32.
        samples: Calibration rows.

    Raises:
        ExportError: A weight does not fit, or a value between two operators does not fit twice over.
    """
    from onnxruntime.quantization.onnx_model import ONNXModel
    from onnxruntime.transformers.float16 import convert_float_to_float16

    _require_weights(model)
    _require_values(model, samples)
    half = ONNXModel(convert_float_to_float16(model, keep_io_types=True, disable_shape_infer=True))
    half.topological_sort()  # the converter puts the casts of inputs last
    made: ModelProto = half.model
    return made


def _require_weights(model: ModelProto) -> None:
    from onnx import TensorProto, numpy_helper

    for item in model.graph.initializer:
        if item.data_type == TensorProto.FLOAT:
            largest = float(np.abs(numpy_helper.to_array(item)).max(initial=0))
            if largest > LARGEST:
                raise _overflow(f"weight {item.name} is {largest:.3g}")


def _require_values(model: ModelProto, samples: Tensors) -> None:
    for name, largest in largest_values(model, samples).items():
        if not largest * _MARGIN <= LARGEST:  # NaN too
            raise _overflow(f"a value ({name}) reaches {largest:.3g} on calibration rows")


def _overflow(what: str) -> ExportError:
    return ExportError(
        f"fp16: {what}, FP16 ends at {LARGEST:.0f}",
        fix="Nothing: another precision ships. Scale inputs and weights down to use FP16.",
    )
