"""FP32 to INT8 with ONNX Runtime's quantizer."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from evertune.errors import ExportError
from evertune.rows import Rows
from evertune.tensors import Signature, Tensors
from export.graph import finish, graphs
from export.recipes import MATRIX_PRODUCTS, Recipe
from export.silence import known_noise

MOST_ROWS = 512  # min and max settle early; more rows cost time, and with other calibrators tens of GB
_BATCH_ROWS = 64
_QUANTIZED = {*MATRIX_PRODUCTS, "Conv", "ConvTranspose"}


class Quantizer:
    """Quantizes one model in several recipes; what they share is done once.

    Args:
        model_bytes: FP32 ONNX, as `export.graph.finish` left it.
        signature: Of the model.
        rows: Calibration rows; at most 512 are used, evenly spaced.

    Raises:
        ExportError: ONNX Runtime cannot prepare the model.
    """

    def __init__(self, model_bytes: bytes, signature: Signature, rows: Rows) -> None:
        self.signature = signature
        _require_arithmetic(model_bytes)
        self._samples = {name: rows.inputs[name][strided(len(rows), MOST_ROWS)] for name in rows.inputs}
        with tempfile.TemporaryDirectory() as folder:
            try:
                self._prepared = _prepare(model_bytes, Path(folder))
            except Exception as error:  # whatever ONNX Runtime raises
                raise _refused("preparing the model", error) from error

    def quantize(self, recipe: Recipe) -> bytes:
        """The model in `recipe`, as finished ONNX bytes.

        Raises:
            ExportError: ONNX Runtime fails, or the recipe finds nothing to quantize.
        """
        import onnx

        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "model.onnx"
            try:
                with known_noise(), _quiet_runtime():
                    self._run(recipe, onnx.ModelProto.FromString(self._prepared), target)
                model = onnx.load(target)
            except Exception as error:  # whatever ONNX Runtime raises
                raise _refused(recipe.name, error) from error
        if not any("Quantize" in node.op_type for node in model.graph.node):
            raise ExportError(f"{recipe.name}: the model has no operator to quantize", fix="Nothing: FP32 ships.")
        return finish(model, self.signature)

    def _run(self, recipe: Recipe, model: Any, target: Path) -> None:
        from onnxruntime import quantization as ort

        shared: dict[str, Any] = {
            "op_types_to_quantize": list(recipe.operators) if recipe.operators else None,
            "nodes_to_exclude": _last_nodes(model),
            "weight_type": ort.QuantType.QInt8,
        }
        if recipe.method == "dynamic":
            ort.quantize_dynamic(model, target, **shared)
            return
        ort.quantize_static(
            model,
            target,
            _reader(self._samples),
            quant_format=ort.QuantFormat.QDQ,
            activation_type=ort.QuantType.QInt8,  # S8S8 in QDQ: what ONNX Runtime's guide says to try first
            per_channel=True,
            calibrate_method=ort.CalibrationMethod.MinMax,
            **shared,
        )


def strided(count: int, most: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """At most `most` of `count` positions, evenly spaced, so that ordered rows are all represented.

    Example:
        >>> strided(10, 4).tolist()
        [0, 3, 6, 9]
        >>> strided(2, 4).tolist()
        [0, 1]
    """
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def _require_arithmetic(model_bytes: bytes) -> None:
    """Trees, support vectors and linear classifiers of `ai.onnx.ml` compare and add: there is nothing in INT8 for them.

    Raises:
        ExportError: The graph has neither a matrix product nor a convolution.
    """
    import onnx

    found = {node.op_type for graph in graphs(onnx.ModelProto.FromString(model_bytes).graph) for node in graph.node}
    if not found & _QUANTIZED:
        raise ExportError(
            "has neither a matrix product nor a convolution to quantize",
            fix="Nothing: FP32 ships.",
        )


def _prepare(model_bytes: bytes, folder: Path) -> bytes:
    """Shape inference and graph optimisation: fuses MatMul and Add to Gemm, folds what became constant."""
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    source, target = folder / "source.onnx", folder / "prepared.onnx"
    source.write_bytes(model_bytes)  # a ModelProto given in its place would be changed
    classic = any(each.domain == "ai.onnx.ml" for each in onnx.ModelProto.FromString(model_bytes).opset_import)
    with known_noise():
        quant_pre_process(source, target, skip_symbolic_shape=classic)  # which does not know that domain
    model = onnx.load(target)
    for number, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{number}"  # the quantizer leaves nodes out by name
    content: bytes = model.SerializeToString()
    return content


@contextmanager
def _quiet_runtime() -> Iterator[None]:
    """The calibrator loads graphs with values that nothing uses any more, and ONNX Runtime warns of each."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    try:
        yield
    finally:
        onnxruntime.set_default_logger_severity(2)  # its default; it cannot be asked for


def _last_nodes(model: Any) -> list[str]:
    """What computes the outputs stays in FP32: in INT8, probabilities would come in steps of 1/256, full of ties."""
    outputs = {value.name for value in model.graph.output}
    return [node.name for node in model.graph.node if outputs & set(node.output)]


def _reader(samples: Tensors) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Batches(CalibrationDataReader):  # type: ignore[misc]  # ONNX Runtime ships no types
        """Calibration rows in batches."""

        def __init__(self) -> None:
            count = len(next(iter(samples.values())))
            self._starts = iter(range(0, count, _BATCH_ROWS))

        def get_next(self) -> Tensors | None:
            start = next(self._starts, None)
            if start is None:
                return None
            return {name: value[start : start + _BATCH_ROWS] for name, value in samples.items()}

    return Batches()


def _refused(what: str, error: Exception) -> ExportError:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return ExportError(f"{what}: ONNX Runtime's quantizer fails: {lines[0][:300]}", fix="Nothing: FP32 ships.")
