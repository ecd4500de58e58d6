"""Which outputs an Open Inference Protocol request wants, and in which form."""

from __future__ import annotations

from typing import Any

from evertune.errors import InputError
from evertune.tensors import Signature

_UNSUPPORTED = ("classification", "shared_memory_region")  # of Triton's other extensions; they change what comes back


def read_outputs(document: dict[str, Any], signature: Signature) -> dict[str, bool] | None:
    """Reads `outputs` and the request's parameter `binary_data_output`.

    Returns:
        The names, and whether each is wanted as binary data; None: all, as JSON.

    Raises:
        InputError: An unknown output, or a parameter that cannot be met.
    """
    wanted = document.get("outputs")
    binary = _flag(document.get("parameters"), "binary_data_output", default=False)
    known = [spec.name for spec in signature.outputs]
    if wanted is None or wanted == []:
        return dict.fromkeys(known, True) if binary else None
    asked = [
        output if isinstance(output, dict) else {"name": output}
        for output in (wanted if isinstance(wanted, list) else [wanted])
    ]
    unknown = [output.get("name") for output in asked if output.get("name") not in known]
    if unknown:
        raise InputError(f"unknown outputs {unknown}", fix=f"Ask for some of {known}, or leave 'outputs' out.")
    return {str(output["name"]): _flag(output.get("parameters"), "binary_data", default=binary) for output in asked}


def _flag(parameters: Any, name: str, *, default: bool) -> bool:
    if parameters is None:
        return default
    if not isinstance(parameters, dict):
        raise InputError("'parameters' is not an object", fix='Send {"name": value}, or leave it out.')
    unsupported = [each for each in _UNSUPPORTED if each in parameters]
    if unsupported:
        raise InputError(f"parameters {unsupported} are not supported", fix="Ask for the output itself.")
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise InputError(f"the parameter {name!r} is {str(value)[:40]!r}", fix="Send true or false.")
    return value
