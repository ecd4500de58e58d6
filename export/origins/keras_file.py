"""Keras 3 files: an architecture in JSON and weights, read in safe mode."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evertune.errors import ExportError
from export.origins.keras_audit import read_config, require_known_objects
from export.origins.loaded import Loaded, file_facts


def load_keras(path: Path) -> Loaded:
    """Loads a `.keras` file on the backend of this process; nothing of the file is run.

    Raises:
        ExportError: It is no such file, holds Python code or a class that is not known here, or Keras refuses it.
    """
    metadata, config = read_config(path)
    require_known_objects(config, path.name)
    import keras

    try:
        # Not compiled: losses and optimizers of the training are of no use here, and may be anybody's.
        model: Any = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises whatever its layers raise
        lines = str(error).strip().splitlines() or [""]
        raise ExportError(
            f"Keras does not load {path.name}: {type(error).__name__}: {lines[0][:300]}",
            fix="Save the model again with the version of Keras that is installed here, and import its custom layers "
            "in the task file.",
            file=path.name,
        ) from error
    version = str(metadata.get("keras_version", "unknown"))[:40]
    return Loaded(model, {"from": "keras file", **file_facts(path), "keras_version": version})
