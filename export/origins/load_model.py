"""From what a user names to a model."""

from __future__ import annotations

from pathlib import Path

from evertune.errors import ExportError, InputError
from export.origins.import_path import IMPORT_PATH, load_import
from export.origins.keras_file import load_keras
from export.origins.loaded import Loaded
from export.origins.pickled import PICKLES, load_pickle
from export.origins.weights import WEIGHT_FILES

WAYS = (
    "Give a .keras file, an import path package.module:factory with --weights FILE where it needs them, "
    "or a .joblib file with --unpickle."
)
# Formats that people do try, with what to do instead.
_INSTEAD = {
    ".h5": "Load it where you trust it, and save it as a .keras file: HDF5 has no safe mode.",
    ".hdf5": "Load it where you trust it, and save it as a .keras file: HDF5 has no safe mode.",
    ".pb": "Save the Keras model as a .keras file: a SavedModel has no layers to name and no weights to check.",
    ".onnx": "Give the model it was made from: without it nothing can be proven about the file.",
    ".py": "Write package.module:factory, as in an import, without .py.",
    **dict.fromkeys(WEIGHT_FILES, "Give the module's import path, package.module:factory, and this file as --weights."),
}


def load_model(
    reference: str, *, root: Path | None = None, weights: Path | None = None, unpickle: bool = False
) -> Loaded:
    """Loads a model that was not tuned here.

    The Keras backend must be fixed, and whatever registers custom layers imported, before.

    Args:
        reference: Path of a `.keras` file or a pickle, or "package.module:name".
        root: Folder that imports start from, beside `sys.path`; None: the working folder.
        weights: For a torch module: a state dict, as `.pt`, `.pth` or `.safetensors`.
        unpickle: The user says that the file may run code.

    Raises:
        InputError: It is none of these, there is no such file, or an option does not go with it.
        ExportError: The file or the module is refused, with the reason.
    """
    path = Path(reference)
    if IMPORT_PATH.fullmatch(reference) and not reference.partition(":")[0].endswith(".py") and not path.exists():
        return load_import(reference, root or Path.cwd(), weights)
    if weights is not None:
        raise InputError(f"--weights goes with an import path, not with {reference!r}", fix=WAYS)
    suffix = path.suffix.lower().partition(":")[0]
    if suffix in _INSTEAD:
        raise ExportError(f"{path.name} is not taken", fix=_INSTEAD[suffix], file=path.name)
    if suffix != ".keras" and suffix not in PICKLES:
        raise InputError(f"{reference!r} is no model that can be exported", fix=WAYS, reference=reference)
    if not path.is_file():
        raise InputError(f"there is no file {reference}", fix="Correct the path.", reference=reference)
    if suffix == ".keras":
        return load_keras(path)
    return load_pickle(path, allowed=unpickle)
