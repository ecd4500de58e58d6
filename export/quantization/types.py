"""The type of every value in a graph: what has none is not quantized."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from export.quantization.quiet import quiet_runtime

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto


def infer_types(model: ModelProto) -> ModelProto:
    """ONNX's inference, and ONNX Runtime's for what follows operators whose types ONNX does not infer (`ai.onnx.ml`).

    Not its tool `quant_pre_process`: where symbolic shape inference fails, that writes the model into the current
    folder.

    Args:
        model: Not changed.

    Raises:
        Exception: Whatever ONNX or ONNX Runtime raises.
    """
    import onnx

    typed: ModelProto = onnx.shape_inference.infer_shapes(model)
    known = {value.name for value in (*typed.graph.value_info, *typed.graph.output)}
    unknown = [name for node in typed.graph.node for name in node.output if name and name not in known]
    if unknown:
        typed.graph.value_info.extend(_asked(typed, unknown))
    return typed


def _asked(model: ModelProto, names: list[str]) -> list[ValueInfoProto]:
    """ONNX Runtime tells the types of outputs, and takes outputs without any; their shapes are not always true."""
    import onnx
    import onnxruntime

    probed = onnx.ModelProto()
    probed.CopyFrom(model)
    probed.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    with quiet_runtime():
        session = onnxruntime.InferenceSession(probed.SerializeToString(), providers=["CPUExecutionProvider"])
    found = {value.name: value for value in session.get_outputs()}
    return [_described(found[name]) for name in names if found[name].type in _TYPES]


def _described(value: Any) -> ValueInfoProto:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(value.name, TensorProto.DataType.Value(_TYPES[value.type]), None)


_TYPES = {
    "tensor(float)": "FLOAT",
    "tensor(float16)": "FLOAT16",
    "tensor(int64)": "INT64",
    "tensor(int32)": "INT32",
    "tensor(bool)": "BOOL",
}
