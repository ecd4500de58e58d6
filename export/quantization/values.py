"""What flows between the operators of a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from evertune.tensors import Tensors
from export.quantization.quiet import quiet_runtime
from export.quantization.samples import batches

if TYPE_CHECKING:
    from onnx import ModelProto


def largest_values(model: ModelProto, samples: Tensors) -> dict[str, float]:
    """By name: the largest absolute value that each FP32 result of the main graph takes on the rows.

    Args:
        model: With the types of values inferred; not changed.
        samples: Rows.
    """
    import onnx
    import onnxruntime

    known = {value.name: value for value in (*model.graph.value_info, *model.graph.output)}
    results = [name for node in model.graph.node for name in node.output if _is_float(known.get(name))]
    probed = onnx.ModelProto()
    probed.CopyFrom(model)
    del probed.graph.output[:]
    probed.graph.output.extend(known[name] for name in results)
    with quiet_runtime():
        session = onnxruntime.InferenceSession(probed.SerializeToString(), providers=["CPUExecutionProvider"])
    found = dict.fromkeys(results, 0.0)
    for batch in batches(samples):
        for name, value in zip(results, session.run(results, batch), strict=True):
            found[name] = float(np.maximum(found[name], np.abs(value).max(initial=0)))  # keeps NaN
    return found


def _is_float(value: object) -> bool:
    from onnx import TensorProto, ValueInfoProto

    return isinstance(value, ValueInfoProto) and value.type.tensor_type.elem_type == TensorProto.FLOAT
