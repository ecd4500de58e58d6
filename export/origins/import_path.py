"""What an import path names: a module of torch, or a factory of any model."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from evertune.errors import EvertuneError, ExportError, InputError
from export.origins.loaded import Loaded, file_facts
from export.origins.weights import load_weights

IMPORT_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def load_import(reference: str, root: Path, weights: Path | None) -> Loaded:
    """Imports the module, takes the object or calls the factory, and puts weights in.

    Args:
        reference: "package.module:name".
        root: Added to the end of `sys.path`.
        weights: For torch modules.

    Raises:
        ExportError: Import or factory fail, or the weights do not fit.
        InputError: The module has no such name, or weights were given for what is no torch module.
    """
    name, _, attribute = reference.partition(":")
    if str(root) not in sys.path:
        sys.path.append(str(root))
    module = _import(name)
    model = _made(_find(module, attribute), reference)
    origin: dict[str, Any] = {"from": "import path", "import_path": reference}
    source = getattr(module, "__file__", None)
    if source is not None:
        origin["source"] = file_facts(Path(source))
    if weights is not None:
        if not hasattr(model, "load_state_dict"):
            raise InputError(
                f"--weights is for torch modules; {reference} is a {type(model).__name__}",
                fix="Let the factory return the model with its weights.",
            )
        load_weights(model, weights)
        origin["weights"] = file_facts(weights)
    return Loaded(model, origin)


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except EvertuneError:
        raise
    except (Exception, SystemExit) as error:  # whatever a user's module does at import
        raise ExportError(
            f"module {name!r} does not import: {type(error).__name__}: {str(error)[:300]}",
            fix="Run from the folder that holds it, or install it.",
            module=name,
        ) from error


def _find(module: ModuleType, attribute: str) -> Any:
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise InputError(f"{module.__name__} has no {attribute!r}", fix="Name a factory or a model that it has.")
        found = getattr(found, part)
    return found


def _made(found: Any, reference: str) -> Any:
    """A class and a function are called; a module of torch is callable too, but is the model already."""
    if not callable(found) or (hasattr(found, "state_dict") and not isinstance(found, type)):
        return found
    try:
        return found()
    except EvertuneError:
        raise
    except Exception as error:  # whatever a user's factory raises
        raise ExportError(
            f"{reference}() failed: {type(error).__name__}: {str(error)[:300]}",
            fix="Give a factory that takes no arguments.",
            reference=reference,
        ) from error
