"""FP32 to every smaller precision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evertune.errors import ExportError
from evertune.rows import Rows
from evertune.tensors import Signature
from export.external import is_external
from export.graph import finish
from export.quantization.fold import fold, operators
from export.quantization.four_bit import to_four_bit
from export.quantization.half import to_half
from export.quantization.integers import IntegerQuantizer
from export.quantization.samples import samples_of
from export.quantization.stored import to_stored_int8
from export.quantization.types import infer_types
from export.recipes import CONVOLUTIONS, MATRIX_PRODUCTS, Recipe

if TYPE_CHECKING:
    from onnx import ModelProto

_MADE = ("Quantize", "Integer", "QLinear")  # parts of the names of quantized operators


class Quantizer:
    """Quantizes one model in several recipes; what they share is done once.

    Args:
        model_bytes: FP32 ONNX, as `export.graph.finish` left it.
        signature: Of the model.
        rows: Calibration rows; at most 512 are used, evenly spaced.

    Attributes:
        model_bytes: As given.
        signature: As given.
        samples: The inputs of those rows.

    Raises:
        ExportError: ONNX Runtime cannot prepare the model, its weights lie beside the graph, or there is nothing in it
            to quantize.
    """

    def __init__(self, model_bytes: bytes, signature: Signature, rows: Rows) -> None:
        self.model_bytes = model_bytes
        self.signature = signature
        self.samples = samples_of(rows)
        self._integers = IntegerQuantizer(self.samples)
        _require_one_file(model_bytes)
        _require_arithmetic(model_bytes)
        try:
            self._prepared = _prepare(model_bytes)
        except Exception as error:  # whatever ONNX Runtime raises
            raise _refused("preparing the model", error) from error

    def quantize(self, recipe: Recipe, *, keep: tuple[str, ...] = ()) -> bytes:
        """The model in `recipe`, as finished ONNX bytes.

        Args:
            recipe: How.
            keep: Names of nodes, as `nodes` gives them, that stay in FP32.

        Raises:
            ExportError: ONNX Runtime fails, the recipe finds nothing to quantize, or FP16 overflows.
        """
        model = self._model()
        try:
            made = self._made(model, recipe, (*_always_kept(model, recipe), *keep))
        except ExportError:
            raise
        except Exception as error:  # whatever ONNX Runtime raises
            raise _refused(recipe.name, error) from error
        if recipe.method in ("static", "dynamic") and not _is_quantized(made):
            raise ExportError(f"{recipe.name}: the model has no operator to quantize", fix="Nothing: FP32 ships.")
        return finish(made, self.signature)

    def nodes(self, recipe: Recipe) -> list[str]:
        """Names of the nodes that `recipe` may quantize one by one, in the graph's order; none of FP16."""
        if recipe.method == "fp16":
            return []
        model = self._model()
        kept = _always_kept(model, recipe)
        known = set(recipe.operators or _all_operators(recipe))
        return [node.name for node in model.graph.node if node.op_type in known and node.name not in kept]

    def _model(self) -> ModelProto:
        import onnx

        model: ModelProto = onnx.ModelProto.FromString(self._prepared)
        return model

    def _made(self, model: ModelProto, recipe: Recipe, keep: tuple[str, ...]) -> ModelProto:
        match recipe.method:
            case "fp16":
                return to_half(model, self.samples)
            case "weights":
                return to_stored_int8(model, keep)
            case "int4":
                return to_four_bit(model, recipe.block_rows, keep)
        return self._integers(model, recipe, keep)


def _all_operators(recipe: Recipe) -> Any:
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    return QLinearOpsRegistry if recipe.qoperator else QDQRegistry


def _require_one_file(model_bytes: bytes) -> None:
    """The quantizers hand the whole model over as one message of protobuf's, and so does folding before them."""
    import onnx

    if is_external(onnx.ModelProto.FromString(model_bytes)):
        raise ExportError(
            "has weights beside the graph, which quantizers do not take",
            fix="Nothing: FP32 ships.",
        )


def _require_arithmetic(model_bytes: bytes) -> None:
    """Trees, support vectors and linear classifiers of `ai.onnx.ml` compare and add: there is nothing in INT8 for them.

    Raises:
        ExportError: The graph has neither a matrix product nor a convolution.
    """
    if not operators(model_bytes) & {*MATRIX_PRODUCTS, *CONVOLUTIONS}:
        raise ExportError(
            "has neither a matrix product nor a convolution to quantize",
            fix="Nothing: FP32 ships.",
        )


def _prepare(model_bytes: bytes) -> bytes:
    """Folds, infers types, and names nodes, by which the quantizer leaves them out."""
    from onnxruntime.quantization.quant_utils import add_pre_process_metadata

    model = infer_types(fold(model_bytes))
    for number, node in enumerate(model.graph.node):
        node.name = f"{node.op_type}_{number}"
    add_pre_process_metadata(model)  # else it warns that this was not done
    content: bytes = model.SerializeToString()
    return content


def _always_kept(model: ModelProto, recipe: Recipe) -> tuple[str, ...]:
    """What computes the outputs, where a recipe would round them to 256 steps: probabilities would be full of ties.

    Only static ones do. Elsewhere a quantized product gives FP32, and a ranking's last one is most of the model.
    """
    if recipe.method != "static":
        return ()
    outputs = {value.name for value in model.graph.output}
    return tuple(node.name for node in model.graph.node if outputs & set(node.output))


def _is_quantized(model: ModelProto) -> bool:
    return any(part in node.op_type for node in model.graph.node for part in _MADE)


def _refused(what: str, error: Exception) -> ExportError:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return ExportError(f"{what}: ONNX Runtime's quantizer fails: {lines[0][:300]}", fix="Nothing: FP32 ships.")
