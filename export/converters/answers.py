"""What a model gives, as a tuple in the declared order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evertune.errors import ExportError
from evertune.tensors import Signature


def answers(result: Any, signature: Signature) -> tuple[Any, ...]:
    """The outputs of a model that returns a tensor, a list or tuple in declared order, or a dict by name.

    Raises:
        ExportError: Another number of outputs, or other names.
    """
    names = [spec.name for spec in signature.outputs]
    if isinstance(result, Mapping):
        if set(result) != set(names):
            raise _other_outputs(f"outputs named {sorted(map(str, result))}", names)
        return tuple(result[name] for name in names)
    found = tuple(result) if isinstance(result, list | tuple) else (result,)
    if len(found) != len(names):
        raise _other_outputs(f"{len(found)} outputs", names)
    return found


def _other_outputs(found: str, names: list[str]) -> ExportError:
    return ExportError(
        f"the model returns {found}, the task declares {names}",
        fix="Return the answer of the task's kind first, and declare every other output in Task.extra_outputs.",
        declared=names,
    )


def not_a_tensor(found: object) -> ExportError:
    """The error of a model that gives something else than tensors."""
    return ExportError(
        f"the model returns a {type(found).__name__}, not a tensor",
        fix="Return one tensor an output: the answer of the task's kind first.",
    )
