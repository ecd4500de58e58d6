"""From an exporter's exception to the operator and the layer that caused it."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import Any

from evertune.errors import ExportError

_OPERATOR = re.compile(r"No ONNX function found for <OpOverload\(op='([\w.]+)'")
# "You marked L['inputs'][0].size()[1] as dynamic but your code specialized it": the batch has a name of its own.
_FREE_AXIS = re.compile(r"marked L\['inputs'\]\[(\d+)\]\.size\(\)\[(\d+)\] as dynamic")
_NODE = re.compile(r"Error when translating node .*?target=torch\.ops\.(\w+\.\w+)")
_COLOURS = re.compile(r"\x1b?\[\d+m")  # torch and Keras colour their messages
_BRANCHES = ("data-dependent", "guardondatadependent", "symbolic `tf.tensor` as a python")


@dataclass(frozen=True)
class Words:
    """How a framework's users speak of their models.

    Attributes:
        name_of: Name of an object that is one of the model's layers; None for any other object.
        instead: What to compute with.
        rows: How to say "any number of rows".
        choose: What stands in place of a branch.
    """

    name_of: Callable[[Any], str | None]
    instead: str
    rows: str
    choose: str


def keras_layer(value: Any) -> str | None:
    """Its name where `value` is a Keras layer, and not a whole model."""
    kinds = {base.__name__ for base in type(value).__mro__ if base.__module__.startswith("keras.")}
    return str(value.name) if "Layer" in kinds and "Model" not in kinds else None


KERAS = Words(
    keras_layer,
    instead="Keras layers or operations that ONNX has",
    rows="-1 or keras.ops.shape(x)[0]",
    choose="keras.ops.where or keras.ops.cond",
)


def module_words(model: Any) -> Words:
    """For a `torch.nn.Module`, whose parts are named by where they are in it."""
    names = {id(module): name for name, module in model.named_modules() if name}
    return Words(
        lambda value: names.get(id(value)),
        instead="torch operations that ONNX has",
        rows="-1 or x.shape[0]",
        choose="torch.where or torch.cond",
    )


def explain(error: Exception, run: Callable[[], Any], problem: str, words: Words = KERAS) -> ExportError:
    """An `ExportError` that names the layer, the operator where one is known, and what to do.

    Args:
        error: What the framework raised.
        run: Calls the model once.
        problem: End of the sentence "the model ...".
        words: Of the framework.
    """
    text = "\n".join(str(cause) for cause in _causes(error))
    operator = _OPERATOR.search(text)
    if operator is not None:
        name = operator.group(1)
        return unknown_operator(name, _layer_that_calls(name.rpartition(".")[2], run, words), problem, words)
    node = _NODE.search(text)
    if node is not None:
        name = node.group(1)
        return _fails_on(name, _layer_that_calls(name.rpartition(".")[2], run, words), error, problem, words)
    layer = _layer_in_traceback(error, words)
    where = f"layer {layer!r}" if layer else "the model"
    if "specialized it to be a constant" in text:
        axis = _FREE_AXIS.search(text)
        place = None if axis is None else (int(axis.group(1)), int(axis.group(2)))
        return fixed_rows(error, problem, words) if place is None else fixed_length(place, problem, words)
    if any(sign in f"{type(error).__name__} {text}".lower() for sign in _BRANCHES):
        return ExportError(
            f"the model {problem}: {where} branches on the values of its input",
            fix=f"Use {words.choose} in place of `if`.",
            layer=layer,
        )
    return ExportError(
        f"the model {problem}: {where}: {_first_line(error)}",
        fix=f"Correct the layer, or compute with {words.instead} in place of numpy.",
        layer=layer,
    )


def fixed_rows(error: Exception, problem: str, words: Words = KERAS) -> ExportError:
    """The error of a model that takes one number of rows only."""
    layer = _layer_in_traceback(error, words)
    return ExportError(
        f"the model {problem}: {f'layer {layer!r}' if layer else 'the model'} fixes the number of rows in a batch",
        fix=f"Use {words.rows} for the batch axis, never a number or len(x).",
        layer=layer,
    )


def fixed_length(place: tuple[int, int], problem: str, words: Words) -> ExportError:
    """The error of a model that takes one length only of an axis that may have any: position of the input, and axis."""
    number, axis = place
    return ExportError(
        f"the model {problem}: it fixes the length of axis {axis} of input {number + 1}, which is declared as free",
        fix=f"Compute with {words.instead} that take any length, or declare the length in Task.inputs.",
        input=number,
        axis=axis,
    )


def unknown_operator(name: str, layer: str | None, problem: str, words: Words = KERAS) -> ExportError:
    """The error of an operator that ONNX does not have."""
    where = f" in layer {layer!r}" if layer else ""
    return ExportError(
        f"the model {problem}: ONNX has no operator for {name}{where}",
        fix=f"Replace what {layer or 'the model'} computes with {words.instead}.",
        operator=name,
        layer=layer,
    )


def _fails_on(name: str, layer: str | None, error: Exception, problem: str, words: Words) -> ExportError:
    """The error of an operator that ONNX has, but not with these arguments: what was said first says most."""
    *_, innermost = _causes(error)
    return ExportError(
        f"the model {problem}: {name}{f' in layer {layer!r}' if layer else ''}: {str(innermost).splitlines()[0][:200]}",
        fix=f"Give {layer or 'it'} other arguments or shapes, or compute with {words.instead}.",
        operator=name,
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


def _layer_in_traceback(error: BaseException, words: Words) -> str | None:
    """The innermost layer that was being called; layers of Keras itself may be filtered out of tracebacks."""
    found = None
    for cause in _causes(error):
        trace = cause.__traceback__
        while trace is not None:
            found = words.name_of(trace.tb_frame.f_locals.get("self")) or found
            trace = trace.tb_next
    return found


def _layer_that_calls(operator: str, run: Callable[[], Any], words: Words) -> str | None:
    """Runs the model once more and looks, at each call of `operator`, which layer is at work."""
    import torch
    from torch.overrides import TorchFunctionMode
    from torch.utils._python_dispatch import TorchDispatchMode

    found: list[str] = []

    def look(called: Any) -> None:
        layer = _layer_at_work(sys._getframe(), words) if operator.strip("_") in str(called) else None
        found.extend([layer] if layer else [])

    class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's __init_subclass__
        def __torch_dispatch__(self, called: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            look(called)
            return called(*args, **(kwargs or {}))

    class WatchWhole(TorchFunctionMode):
        """Sees operators that torch takes apart before they are dispatched."""

        def __torch_function__(self, called: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            look(called)
            return called(*args, **(kwargs or {}))

    with torch.no_grad(), WatchWhole(), Watch():  # type: ignore[no-untyped-call]
        run()
    return found[0] if found else None


def _layer_at_work(frame: FrameType | None, words: Words) -> str | None:
    while frame is not None:
        name = words.name_of(frame.f_locals.get("self"))
        if name is not None:
            return name
        frame = frame.f_back
    return None
