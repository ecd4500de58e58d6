"""Whether a file is what was asked for: independent of the checks of `export/`, which are judged here too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from evertune.tensors import Array, Signature, Tensors

BATCHES = (1, 2, 7, 64)
MOST = 1e-4  # times the largest answer where that is above 1

Answers = Callable[[Tensors], list[Array]]


class InvalidArtifactError(Exception):
    """The file must not ship; the message says why."""


def judge(path: Path, signature: Signature, sources: tuple[Answers, ...], rows: Tensors) -> float:
    """Checks a file in full.

    Args:
        path: Of the ONNX file.
        signature: What was asked for. Names are not compared: Keras' own export has names of its own.
        sources: What the answers are compared with; one of them must agree.
        rows: Inputs in the order of the graph; batches of 1, 2, 7 and 64 are taken, and where an axis may have any
            length, a shorter one too.

    Returns:
        The largest difference, divided by the largest answer where that is above 1.

    Raises:
        InvalidArtifactError: Names the first check that failed.
    """
    import onnx
    import onnxruntime

    try:
        onnx.checker.check_model(str(path), full_check=True)
        _check_boundary(onnx.load(path).graph, signature)
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except InvalidArtifactError:
        raise
    except Exception as error:  # protobuf's, the checker's and the runtime's errors share no base class
        raise InvalidArtifactError(f"{type(error).__name__}: {_first_line(error)}") from error
    names = [each.name for each in session.get_inputs()]

    def run(batch: Tensors) -> list[Array]:
        return [np.asarray(each) for each in session.run(None, dict(zip(names, batch.values(), strict=True)))]

    found = min(_worst(run, source, batches(rows, signature)) for source in sources)
    if not found <= MOST:
        raise InvalidArtifactError(f"answers differ by {found:.2g}")
    return found


def batches(rows: Tensors, signature: Signature) -> list[Tensors]:
    """The batches that are compared."""
    made, start = [], 0
    for size in BATCHES:
        made.append({name: value[start : start + size] for name, value in rows.items()})
        start += size
    if any(None in spec.shape for spec in signature.inputs):
        last = made[-1]
        cut = {
            spec.name: tuple(slice(7) if size is None else slice(None) for size in spec.shape)
            for spec in signature.inputs
        }
        made.append({name: np.ascontiguousarray(value[(slice(None), *cut[name])]) for name, value in last.items()})
    return made


def _worst(run: Answers, source: Answers, given: list[Tensors]) -> float:
    worst = 0.0
    for batch in given:
        try:
            found = run(batch)
        except Exception as error:  # the runtime's errors share no base class
            size = len(next(iter(batch.values())))
            raise InvalidArtifactError(f"fails on {size} rows: {_first_line(error)}") from error
        expected = source(batch)
        if [each.shape for each in expected] != [each.shape for each in found]:
            raise InvalidArtifactError(f"gives shapes {[each.shape for each in found]}")
        worst = max([worst, *map(_difference, expected, found)])
    return worst


def _difference(expected: Array, found: Array) -> float:
    if not np.array_equal(np.isnan(expected), np.isnan(found)):
        return float("inf")
    known = expected.astype(np.float64)
    return float(np.nanmax(np.abs(known - found)) / max(1.0, float(np.nanmax(np.abs(known)))))


def _check_boundary(graph: Any, signature: Signature) -> None:
    fed = {item.name for item in graph.initializer}
    inputs = [_shown(each) for each in graph.input if each.name not in fed]
    outputs = [_shown(each)[0] for each in graph.output]
    wanted = [(spec.dtype, (None, *spec.shape)) for spec in signature.inputs]
    if inputs != wanted:
        raise InvalidArtifactError(f"takes {inputs}, asked for was {wanted}")
    if outputs != [spec.dtype for spec in signature.outputs]:
        raise InvalidArtifactError(f"gives {outputs}")


def _shown(value: Any) -> tuple[str, tuple[int | None, ...]]:
    from onnx.helper import tensor_dtype_to_np_dtype

    tensor = value.type.tensor_type
    sizes = tuple(size.dim_value if size.HasField("dim_value") else None for size in tensor.shape.dim)
    return tensor_dtype_to_np_dtype(tensor.elem_type).name, sizes


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [""]
    return lines[0][:200]
