"""From an exporter's exception to the operator and the Keras layer that caused it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from evertune.errors import ExportError

_OPERATOR = re.compile(r"No ONNX function found for <OpOverload\(op='([\w.]+)'")
_COLOURS = re.compile(r"\x1b?\[\d+m")  # torch and Keras colour their messages


def explain(error: Exception, run: Callable[[], Any], problem: str) -> ExportError:
    """An `ExportError` that names the layer, the operator where one is known, and what to do.

    Args:
        error: What the framework raised.
        run: Calls the model once.
        problem: End of the sentence "the model ...".
    """
    text = "\n".join(str(cause) for cause in _causes(error))
    operator = _OPERATOR.search(text)
    if operator is not None:
        name = operator.group(1)
        layer = _layer_that_calls(name.rpartition(".")[2], run)
        where = f" in layer {layer!r}" if layer else ""
        return ExportError(
            f"the model {problem}: ONNX has no operator for {name}{where}",
            fix=f"Replace what {layer or 'the model'} computes with Keras layers or operations that ONNX has.",
            operator=name,
            layer=layer,
        )
    layer = _layer_in_traceback(error)
    where = f"layer {layer!r}" if layer else "the model"
    if "specialized it to be a constant" in text:
        return ExportError(
            f"the model {problem}: {where} fixes the number of rows in a batch",
            fix="Use -1 or keras.ops.shape(x)[0] for the batch axis, never a number or len(x).",
            layer=layer,
        )
    if "data-dependent" in text.lower() or "GuardOnDataDependent" in type(error).__name__:
        return ExportError(
            f"the model {problem}: {where} branches on the values of its input",
            fix="Use keras.ops.where or keras.ops.cond in place of `if`.",
            layer=layer,
        )
    return ExportError(
        f"the model {problem}: {where}: {_first_line(error)}",
        fix="Correct the layer, or compute with keras.ops in place of numpy.",
        layer=layer,
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in _COLOURS.sub("", str(error)).splitlines() if line.strip()]
    # Keras: "Exception encountered when calling Branch.call()." and then what happened.
    keep = lines[1:2] if lines and lines[0].startswith("Exception encountered") and len(lines) > 1 else lines[:1]
    return f"{type(error).__name__}: {' '.join(keep)[:300]}"


def _layer_in_traceback(error: BaseException) -> str | None:
    """The innermost layer that was being called; layers of Keras itself may be filtered out of tracebacks."""
    found = None
    for cause in _causes(error):
        trace = cause.__traceback__
        while trace is not None:
            owner = trace.tb_frame.f_locals.get("self")
            found = _layer_name(owner) or found
            trace = trace.tb_next
    return found


def _layer_name(value: Any) -> str | None:
    """Its name where `value` is a Keras layer, and not a whole model."""
    kinds = {base.__name__ for base in type(value).__mro__ if base.__module__.startswith("keras.")}
    return str(value.name) if "Layer" in kinds and "Model" not in kinds else None


def _layer_that_calls(operator: str, run: Callable[[], Any]) -> str | None:
    """Runs the model once more and looks, at each call of `operator`, which layer is at work."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    found: list[str] = []

    class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's __init_subclass__
        def __torch_dispatch__(self, called: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            layer = _layer_at_work(sys._getframe()) if operator.strip("_") in str(called) else None
            found.extend([layer] if layer else [])
            return called(*args, **(kwargs or {}))

    with torch.no_grad(), Watch():  # type: ignore[no-untyped-call]
        run()
    return found[0] if found else None


def _layer_at_work(frame: FrameType | None) -> str | None:
    while frame is not None:
        name = _layer_name(frame.f_locals.get("self"))
        if name is not None:
            return name
        frame = frame.f_back
    return None
