"""The preprocessor in a bundle: what is written is what is read, and what is forged is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evertune.bundle import Bundle, ConfidenceMap, Golden, Reference, write_content
from evertune.bundle.canonical import from_canonical, to_canonical
from evertune.errors import BundleError
from evertune.preprocessing import Categories, Preprocessor
from evertune.tensors import Signature, TensorSpec

STEP = Categories(("user",), (("7", "12"),), "codes")
SIGNATURE = Signature((STEP.spec,), (TensorSpec("probabilities", "float32", (2,)),))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "content", Preprocessor((STEP,)).to_json())


def write(folder: Path, preprocessing: dict[str, Any]) -> Path:
    write_content(
        folder,
        model_bytes=b"onnx",
        model="films",
        kind="classification",
        labels=("no", "yes"),
        signature=SIGNATURE,
        preprocessing=preprocessing,
        recipe="fp32",
        calibration=ConfidenceMap((0.0, 1.0), (0.0, 1.0), 10),
        reference=Reference(0.1, 0.2, 10, 0.9),
        golden=Golden({"codes": np.ones((1, 1), np.int32)}, {"probabilities": np.ones((1, 2), np.float32)}, 1e-3),
    )
    return folder


def reseal(folder: Path, change: Callable[[dict[str, Any]], None], file: str = "preprocessing.json") -> None:
    """Changes a file as somebody would who can hash, too."""
    data = from_canonical((folder / file).read_bytes(), file)
    change(data)
    (folder / file).write_bytes(to_canonical(data))
    if file != "manifest.json":
        content = (folder / file).read_bytes()
        entry = {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
        reseal(folder, lambda manifest: manifest["files"].update({file: entry}), "manifest.json")


def test_a_bundle_carries_its_preprocessor(folder: Path) -> None:
    bundle = Bundle.open(folder)
    assert bundle.preprocessor == Preprocessor((STEP,))
    assert bundle.manifest.preprocessing == {"file": "preprocessing.json", "format_version": 1}
    assert bundle.manifest.preprocessing_sha256 == bundle.manifest.files["preprocessing.json"].sha256


def test_a_bundle_without_one_has_no_file_for_it(tmp_path: Path) -> None:
    bundle = Bundle.open(write(tmp_path / "content", {}))
    assert bundle.preprocessor is None
    assert bundle.manifest.preprocessing_sha256 is None
    assert "preprocessing.json" not in bundle.manifest.files


def test_another_vocabulary_is_another_bundle(folder: Path, tmp_path: Path) -> None:
    other = Preprocessor((Categories(("user",), (("12", "7"),), "codes"),))
    assert Bundle.open(write(tmp_path / "other", other.to_json())).digest != Bundle.open(folder).digest


FORGED: dict[str, tuple[str, Callable[[dict[str, Any]], Any]]] = {
    "an unknown step": ("preprocessing.json", lambda data: data["steps"][0].update(step="shell")),
    "an unknown field": ("preprocessing.json", lambda data: data["steps"][0].update(script="import os")),
    "a newer format": ("preprocessing.json", lambda data: data.update(format_version=2)),
    "an input that the graph does not have": ("preprocessing.json", lambda data: data["steps"][0].update(output="x")),
    "another path": ("manifest.json", lambda data: data["preprocessing"].update(file="../x.json")),
    "another file": ("manifest.json", lambda data: data["preprocessing"].update(file="model.onnx")),
    "a version that is not the file's": ("manifest.json", lambda data: data["preprocessing"].update(format_version=2)),
    "a file that is not named": ("manifest.json", lambda data: data["preprocessing"].clear()),
}


@pytest.mark.parametrize("case", FORGED)
def test_what_is_forged_is_refused_though_every_hash_fits(folder: Path, case: str) -> None:
    file, change = FORGED[case]
    reseal(folder, change, file)
    with pytest.raises(BundleError, match=r"preprocessing\.json"):
        Bundle.open(folder)


def test_what_could_not_be_read_is_not_written(tmp_path: Path) -> None:
    wrong = Preprocessor((Categories(("user",), (("7",),), "other"),))
    with pytest.raises(BundleError, match="does not fit"):
        write(tmp_path / "content", wrong.to_json())
    assert not (tmp_path / "content").exists()
