"""FP16 inside, FP32 at the boundary."""

from __future__ import annotations

from evertune.errors import ExportError
from evertune.tensors import Signature
from export.graph import finish

FP16 = "fp16"


def to_half(model_bytes: bytes, signature: Signature) -> bytes:
    """The model in FP16; inputs and outputs keep their dtypes. Whether its values fit is for the caller to check.

    Raises:
        ExportError: ONNX Runtime's converter fails.
    """
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    try:
        made = convert_float_to_float16(
            onnx.load_model_from_string(model_bytes), keep_io_types=True, disable_shape_infer=True
        )
    except Exception as error:  # whatever the converter raises
        raise ExportError(f"fp16: ONNX Runtime's converter fails: {error}"[:300], fix="Nothing: FP32 ships.") from error
    OnnxModel(made).topological_sort()  # the converter puts its casts at the end
    return finish(made, signature)
