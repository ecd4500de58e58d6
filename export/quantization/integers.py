"""FP32 to INT8 with ONNX Runtime's quantizer."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evertune.tensors import Tensors
from export.quantization.quiet import quiet_runtime
from export.quantization.samples import reader_of
from export.recipes import Recipe
from export.silence import known_noise

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto


class IntegerQuantizer:
    """Quantizes one model in several recipes; each way of calibrating runs once.

    Args:
        samples: Calibration rows.
    """

    def __init__(self, samples: Tensors) -> None:
        self._samples = samples
        self._ranges: dict[tuple[object, ...], bytes] = {}  # ONNX Runtime's own JSON

    def __call__(self, model: ModelProto, recipe: Recipe, keep: tuple[str, ...]) -> ModelProto:
        """The model in `recipe`.

        Args:
            model: FP32, prepared; may be changed.
            recipe: Static or dynamic.
            keep: Names of nodes that stay in FP32.

        Raises:
            Exception: Whatever ONNX Runtime raises.
        """
        import onnx

        with tempfile.TemporaryDirectory() as folder, known_noise(), quiet_runtime():
            target = Path(folder) / "model.onnx"
            shared: dict[str, Any] = {
                "op_types_to_quantize": list(recipe.operators) if recipe.operators else None,
                "nodes_to_exclude": list(keep),
                "per_channel": recipe.per_channel,
            }
            if recipe.method == "dynamic":
                self._dynamic(model, target, shared, recipe)
            else:
                self._static(model, target, shared, recipe)
            made = onnx.load(target)
        _free_last(made)
        return made

    def _dynamic(self, model: ModelProto, target: Path, shared: dict[str, Any], recipe: Recipe) -> None:
        from onnxruntime.quantization import quantize_dynamic

        quantize_dynamic(model, target, weight_type=_type(recipe.weights_signed), **shared)

    def _static(self, model: ModelProto, target: Path, shared: dict[str, Any], recipe: Recipe) -> None:
        from onnxruntime import quantization as ort

        ranges = target.parent / "ranges.json"
        key = (recipe.calibration, recipe.operators)
        if key in self._ranges:
            ranges.write_bytes(self._ranges[key])
        ort.quantize_static(
            model,
            target,
            reader_of(self._samples),
            quant_format=ort.QuantFormat.QOperator if recipe.qoperator else ort.QuantFormat.QDQ,
            activation_type=_type(recipe.activations_signed),
            weight_type=_type(recipe.weights_signed),
            calibrate_method=getattr(ort.CalibrationMethod, _METHODS[recipe.calibration]),
            calibration_cache_path=ranges,
            extra_options={"CalibStridedMinMax": 1},  # one batch at a time in memory, whatever the method
            **shared,
        )
        self._ranges[key] = ranges.read_bytes()


def _free_last(model: ModelProto) -> None:
    """What enters the node that computes an output comes as the product before it gives it, not in 256 steps.

    Steps of logits are the largest part of what static quantization costs, and rounding them saves nothing.
    """
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    outputs = {value.name for value in graph.output}
    pairs: list[NodeProto] = []
    for last in [node for node in graph.node if outputs & set(node.output)]:
        after = makers.get(last.input[0]) if last.input else None
        before = makers.get(after.input[0]) if after is not None and after.op_type == "DequantizeLinear" else None
        if after is not None and before is not None and before.op_type == "QuantizeLinear":
            last.input[0] = before.input[0]
            pairs += [after, before]
    for node in pairs:
        used = {name for each in graph.node for name in each.input} | outputs
        if not used & set(node.output):
            graph.node.remove(node)
    used = {name for each in graph.node for name in each.input} | outputs
    for item in [item for item in graph.initializer if item.name not in used]:
        graph.initializer.remove(item)


_METHODS = {"minmax": "MinMax", "entropy": "Entropy", "percentile": "Percentile"}


def _type(signed: bool) -> Any:
    from onnxruntime.quantization import QuantType

    return QuantType.QInt8 if signed else QuantType.QUInt8
