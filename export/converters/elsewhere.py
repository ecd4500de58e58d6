"""A Keras model exported in a fresh process, on either backend.

`python -m export.converters.elsewhere FOLDER`, with KERAS_BACKEND set, is what runs there.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from evertune.errors import ExportError
from evertune.tensors import Signature
from export.converters.contained import contained, may_fork
from export.converters.failed import MovingError, crashed, from_json, to_json, too_slow
from export.external import OnnxFiles, read_data, write_data
from export.graph import MOST_WEIGHTS_BYTES
from export.silence import known_noise

_MODEL, _REQUEST, _ANSWER, _ERROR = "model.keras", "request.json", "model.onnx", "error.json"


def convert_elsewhere(
    model: Any,
    signature: Signature,
    *,
    kind: str,
    backend: str,
    seconds: float,
    most_bytes: int = MOST_WEIGHTS_BYTES,
) -> OnnxFiles:
    """The model as ONNX, made by the converter of `backend` in a process of its own.

    Args:
        model: Keras model that can be saved; classes of yours are imported from their files.
        signature: Declared inputs and outputs.
        kind: Of the task.
        backend: "torch" or "tensorflow".
        seconds: Then the process is killed.
        most_bytes: As in `Converter.convert`.

    Raises:
        ExportError: Of the exporter; a `MovingError` where the model cannot be saved or loaded; a `RouteError` where
            the process took too long or crashed.
    """
    what = f"the exporter on {backend}"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _save_apart(model, folder, seconds)
        request = {
            "signature": signature.to_json(),
            "kind": kind,
            "classes": _classes(model),
            "most_bytes": most_bytes,
        }
        (folder / _REQUEST).write_text(json.dumps(request))
        environment = os.environ | {"KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        command = [sys.executable, "-m", __name__, str(folder)]
        try:
            done = subprocess.run(command, env=environment, capture_output=True, timeout=seconds, check=False)
        except subprocess.TimeoutExpired:
            raise too_slow(what, seconds) from None
        if (folder / _ANSWER).is_file():
            return OnnxFiles((folder / _ANSWER).read_bytes(), read_data(folder))
        if (folder / _ERROR).is_file():
            raise from_json(json.loads((folder / _ERROR).read_text()))
        raise crashed(what, done.returncode)


def can_run(backend: str) -> bool:
    """Whether that backend is installed, without importing it."""
    return importlib.util.find_spec(backend) is not None


def _save_apart(model: Any, folder: Path, seconds: float) -> None:
    """In a copy of this process where that can be: to save a model on torch, Keras imports TensorFlow."""
    if not may_fork():
        _save(model, folder)
        return

    def save() -> bytes:
        _save(model, folder)
        return b""

    contained(save, seconds=seconds, what="Keras' model.save")


def _save(model: Any, folder: Path) -> None:
    try:
        with known_noise():
            model.save(folder / _MODEL, include_optimizer=False)
    except Exception as error:  # whatever Keras or a layer's get_config raises
        raise MovingError(
            f"the model cannot be saved for another backend: {str(error).strip().splitlines()[0][:300]}",
            fix="Give layers of your own a get_config, and let the model be of Keras' functional kind.",
        ) from error


def _classes(model: Any) -> list[list[str]]:
    """[name, module, file] of each class of layers that is not Keras' own."""
    found = {type(layer) for layer in model._flatten_layers()}
    own = [each for each in found if not each.__module__.startswith("keras.")]
    files = {each: getattr(sys.modules.get(each.__module__), "__file__", None) for each in own}
    return sorted([each.__name__, each.__module__, str(file)] for each, file in files.items() if file)


def main() -> None:
    """In the other process."""
    folder = Path(sys.argv[1])
    request = json.loads((folder / _REQUEST).read_text())
    try:
        files = _converted(folder, request)
    except ExportError as error:
        (folder / _ERROR).write_text(json.dumps(to_json(error)))
        return
    partial = folder / "partial"
    write_data(folder, files.external_data)
    partial.write_bytes(files.model_bytes)
    partial.rename(folder / _ANSWER)


def _converted(folder: Path, request: dict[str, Any]) -> OnnxFiles:
    import keras

    from export.converters import converter_for

    try:
        custom = {name: getattr(_module(module, file), name) for name, module, file in request["classes"]}
        model = keras.models.load_model(folder / _MODEL, custom_objects=custom, compile=False)
    except Exception as error:  # whatever a user's file or Keras raises
        raise MovingError(
            f"the model cannot be loaded on {keras.config.backend()}: {str(error).strip().splitlines()[0][:300]}",
            fix="Define layers at the top of a module, with a get_config, and compute in them with keras.ops.",
        ) from error
    signature = Signature.from_json(request["signature"])
    source = converter_for(model).convert(
        model, signature, kind=request["kind"], reuse=False, most_bytes=request["most_bytes"]
    )
    return OnnxFiles(source.model_bytes, source.external_data)


def _module(name: str, file: str) -> Any:
    """A module by name, else from its file, as `evertune.loading` reads a task."""
    with contextlib.suppress(ImportError):
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None  # the file's name came from a module that was loaded
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
