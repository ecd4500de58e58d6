"""What a `.keras` file says it is made of, before Keras makes it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evertune.errors import ExportError

_MOST_BYTES = 64_000_000  # of the description; a hostile archive unpacks to anything
_LAMBDA_PARTS = 3  # code, defaults, closure
_NO_CODE = ("keras", "builtins")


def read_config(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """`metadata.json` and `config.json` of the file.

    Raises:
        ExportError: It is no `.keras` file of Keras 3.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            found = [_read(archive, name) for name in ("metadata.json", "config.json")]
    except (zipfile.BadZipFile, KeyError, ValueError, RecursionError, OSError, NotImplementedError) as error:
        raise ExportError(
            f"{path.name} is no .keras file of Keras 3: {error}",
            fix="Save the model with model.save('model.keras').",
            file=path.name,
        ) from error
    return found[0], found[1]


def require_known_objects(config: dict[str, Any], file: str) -> None:
    """Refuses Lambda layers, Python lambdas, and classes that neither Keras nor this process knows.

    Raises:
        ExportError: Names the layer and what to use instead.
    """
    from keras.saving import get_registered_object

    # `compile_config` of the model itself is not loaded.
    for layer, entry in _objects({**config, "compile_config": None}, "the model"):
        name, module = str(entry["class_name"]), str(entry.get("module") or "")
        registered = str(entry.get("registered_name") or name)
        if name in ("Lambda", "__lambda__"):
            raise ExportError(
                f"{file}: layer {layer!r} is a Python function in the file, which may be any code: safe mode stays on",
                fix="Write it as a keras.layers.Layer, registered with keras.saving.register_keras_serializable, "
                "or with keras.ops outside of a Lambda, and save the model again.",
                layer=layer,
            )
        known = name.startswith("__") or module.partition(".")[0] in _NO_CODE or get_registered_object(registered)
        if not known:
            raise ExportError(
                f"{file}: layer {layer!r} is of the class {registered!r}, which is not registered here",
                fix="Decorate it with keras.saving.register_keras_serializable, and import it in the task file.",
                layer=layer,
                type=registered,
            )


def _read(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    size = archive.getinfo(name).file_size
    if size > _MOST_BYTES:
        raise ValueError(f"{name} has {size} bytes")
    with archive.open(name) as file:
        data = json.loads(file.read(_MOST_BYTES))
    if not isinstance(data, dict):
        raise ValueError(f"{name} is not an object")
    return data


def _objects(value: Any, layer: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every serialised object, with the name of the innermost named one around it."""
    if isinstance(value, list):
        for item in value:
            yield from _objects(item, layer)
    elif isinstance(value, dict):
        config = value.get("config")
        if isinstance(config, dict) and isinstance(config.get("name"), str) and "class_name" in value:
            layer = config["name"]
        if "class_name" in value and "config" in value:
            yield layer, value
        elif set(value) == {"value"} and isinstance(value["value"], list) and len(value["value"]) == _LAMBDA_PARTS:
            yield layer, {"class_name": "__lambda__"}  # as an activation: Keras leaves out what it is
        for item in value.values():
            yield from _objects(item, layer)
