"""Weights of a torch module from a file that can hold nothing but tensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evertune.errors import ExportError, InputError

WEIGHT_FILES = (".pt", ".pth", ".safetensors")
_NESTED = ("state_dict", "model_state_dict")  # where training scripts put it in a checkpoint


def load_weights(module: Any, path: Path) -> None:
    """Puts a state dict into a module; every weight must be there and no other.

    Raises:
        InputError: No such file, or not the name of a file of weights.
        ExportError: It is refused by torch's reader of plain tensors, or does not fit the module.
    """
    if path.suffix.lower() not in WEIGHT_FILES:
        raise InputError(f"{path.name} is no file of weights", fix=f"Give one of {', '.join(WEIGHT_FILES)}.")
    if not path.is_file():
        raise InputError(f"there is no file {path}", fix="Correct the path of --weights.")
    state = _read(path)
    try:
        module.load_state_dict(state)
    except (RuntimeError, AttributeError, TypeError) as error:
        problem = " ".join(str(error).split())[:400]
        raise ExportError(
            f"{path.name} does not fit {type(module).__name__}: {problem}",
            fix="Build the module as it was when the weights were saved.",
            file=path.name,
        ) from error


def _read(path: Path) -> Mapping[str, Any]:
    state = _safetensors(path) if path.suffix.lower() == ".safetensors" else _torch(path)
    for name in _NESTED:
        if isinstance(state, Mapping) and isinstance(state.get(name), Mapping):
            state = state[name]
    if not isinstance(state, Mapping):
        raise _refused(path, f"it holds a {type(state).__name__}, not a state dict")
    return state


def _torch(path: Path) -> Any:
    import pickle

    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _refused(path, "it holds more than tensors, and to load it would be to run code from the file") from error
    except Exception as error:  # torch's readers share no base class
        raise _refused(path, str(error).strip().splitlines()[0][:300]) from error


def _safetensors(path: Path) -> Any:
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        raise InputError(
            f"{path.name} needs the package safetensors", fix="Install it: pip install safetensors."
        ) from error
    try:
        return load_file(path)
    except Exception as error:  # safetensors' own error has no public base class
        raise _refused(path, str(error)[:300]) from error


def _refused(path: Path, why: str) -> ExportError:
    return ExportError(
        f"weights {path.name} are refused: {why}",
        fix="Save them with torch.save(module.state_dict(), file).",
        file=path.name,
    )
