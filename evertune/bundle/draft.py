"""Writing the content of a bundle: the same content always gives the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from evertune.bundle import confidence, manifest
from evertune.bundle import golden as golden_file
from evertune.bundle import preprocessing as preprocessing_file
from evertune.bundle import reference as reference_file
from evertune.bundle.audit import copy_plain, entry_of
from evertune.bundle.canonical import to_canonical
from evertune.bundle.confidence import ConfidenceMap
from evertune.bundle.golden import Golden
from evertune.bundle.manifest import FileEntry, Manifest
from evertune.bundle.reference import Reference
from evertune.files import write_atomic
from evertune.tensors import Signature


def write_content(
    folder: Path,
    *,
    model_bytes: bytes,
    model: str,
    kind: str,
    labels: Sequence[str],
    signature: Signature,
    preprocessing: Mapping[str, Any],
    recipe: str,
    calibration: ConfidenceMap,
    reference: Reference,
    golden: Golden,
    parameters: Mapping[str, Any] | None = None,
    external_data: Mapping[str, Path] = MappingProxyType({}),
) -> Manifest:
    """Writes `manifest.json` and the files it lists into an empty or new folder.

    Args, where the name does not say it:
        preprocessing: `Preprocessor.to_json()`; empty where the graph does everything.
        external_data: Files by the name under which the model refers to them for weights, such as `model.onnx.data`.

    Returns:
        The manifest, whose digest is the bundle's address.

    Raises:
        BundleError: A field is not allowed (malformed recipe, repeated label, empty name).
    """
    entry, preprocessing_files = preprocessing_file.entry_of(preprocessing)
    files = {
        **preprocessing_files,
        "model.onnx": model_bytes,
        confidence.FILE_NAME: to_canonical(calibration.to_json()),
        reference_file.FILE_NAME: to_canonical(reference.to_json()),
        golden_file.FILE_NAME: to_canonical(golden.to_json()),
    }
    draft = Manifest(
        manifest.FORMAT_VERSION,
        model,
        kind,
        tuple(labels),
        signature,
        entry,
        recipe,
        {name: FileEntry.of(content) for name, content in files.items()}
        | {name: entry_of(path.parent, path.name) for name, path in external_data.items()},
        dict(parameters or {}),
        tuple(sorted(external_data)),
    )
    checked = Manifest.from_bytes(draft.to_bytes())  # nothing is written that could not be read back
    preprocessing_file.read(checked.preprocessing, files, signature)
    for name, content in files.items():
        write_atomic(folder / name, content)
    for name, path in external_data.items():
        copy_plain(path.parent, path.name, folder / name)
    write_atomic(folder / manifest.FILE_NAME, checked.to_bytes())  # last: without it the folder is no content
    return checked
