from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from evertune.bundle import Bundle, BundleStore, FileEntry, Golden, Manifest
from evertune.bundle.canonical import to_canonical
from evertune.errors import BundleError

WriteContent = Callable[..., Manifest]


def forge(folder: Path, change: Callable[[dict[str, object]], object]) -> None:
    """Rewrites the manifest as an attacker would who needs no digest."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    change(manifest)
    (folder / "manifest.json").write_bytes(to_canonical(manifest))


def test_a_bundle_comes_back_as_it_was_written(content: Path) -> None:
    bundle = Bundle.open(content)
    assert bundle.manifest.labels == ("boot", "sandal")
    assert bundle.calibration(np.array([0.75])).tolist() == pytest.approx([0.65])
    assert (bundle.reference.loss_upper_bound, bundle.reference.confidence_level) == (0.12, 0.95)
    assert (bundle.attestation(), bundle.training_path) == (None, None)
    assert bundle.model_path == content / "model.onnx"
    assert len(bundle.digest) == 64


def test_equal_content_has_equal_bytes_and_one_digest(tmp_path: Path, write: WriteContent) -> None:
    digests = {write(tmp_path / name).digest for name in ("one", "two")}
    assert len(digests) == 1
    for name in os.listdir(tmp_path / "one"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert write(tmp_path / "three", labels=("sandal", "boot")).digest not in digests


def test_a_verified_session_reproduces_the_golden_rows(content: Path, golden: Golden) -> None:
    session = Bundle.open(content).verified_session()
    np.testing.assert_allclose(session.run(golden.inputs)["probabilities"], golden.outputs["probabilities"], atol=1e-6)


def test_a_model_that_answers_otherwise_is_not_verified(tmp_path: Path, write: WriteContent, golden: Golden) -> None:
    lie = Golden(golden.inputs, {"probabilities": golden.outputs["probabilities"] + np.float32(0.01)}, 1e-3)
    write(tmp_path / "draft", golden=lie)
    bundle = Bundle.open(tmp_path / "draft")
    assert bundle.session().run(golden.inputs)
    with pytest.raises(BundleError, match=r"'probabilities' is off by 0\.01, allowed 0\.001"):
        bundle.verified_session()


def test_a_model_changed_after_opening_is_not_loaded(content: Path, model_bytes: bytes) -> None:
    bundle = Bundle.open(content)
    (content / "model.onnx").write_bytes(model_bytes[:-1] + bytes([model_bytes[-1] ^ 1]))
    with pytest.raises(BundleError, match=r"model\.onnx"):
        bundle.session()


def test_bytes_that_are_no_model_are_refused_at_load(tmp_path: Path, write: WriteContent) -> None:
    write(tmp_path / "draft", model_bytes=b"no model")
    with pytest.raises(BundleError, match=r"model\.onnx is not ONNX"):
        Bundle.open(tmp_path / "draft").session()


def test_every_flipped_byte_of_every_file_is_refused_and_the_file_is_named(content: Path, tmp_path: Path) -> None:
    training = tmp_path / "weights"
    training.mkdir()
    (training / "weights.npz").write_bytes(b"weights")
    stored = BundleStore(str(tmp_path / "store")).put(content, attestation={"study": "s"}, training=training).path
    files = sorted(path for path in stored.rglob("*") if path.is_file())
    assert len(files) == 8
    for path in files:
        good = path.read_bytes()
        for position in range(len(good)):
            path.write_bytes(good[:position] + bytes([good[position] ^ (1 << position % 8)]) + good[position + 1 :])
            with pytest.raises(BundleError) as raised:
                use_all(stored)
            if path.name != "extras.json":  # its damage shows in the file that it speaks of
                assert raised.value.details["file"].rsplit("/", 1)[-1] == path.name
        path.write_bytes(good)
    use_all(stored)


def use_all(folder: Path) -> None:
    bundle = Bundle.open(folder)
    assert bundle.attestation() == {"study": "s"}
    assert bundle.training_path == folder / "training"


@pytest.mark.parametrize("name", ["model.onnx", "calibration.json", "reference.json", "golden.json", "manifest.json"])
def test_a_missing_truncated_or_linked_file_is_named(content: Path, tmp_path: Path, name: str) -> None:
    path, kept = content / name, tmp_path / "kept"
    shutil.copy(path, kept)
    path.unlink()
    with pytest.raises(BundleError, match=name):
        Bundle.open(content)
    path.write_bytes(kept.read_bytes()[:-1])
    with pytest.raises(BundleError, match=name):
        Bundle.open(content)
    path.unlink()
    path.symlink_to(kept)  # the right bytes, by the wrong way
    with pytest.raises(BundleError, match=f"{name} .*links are refused"):
        Bundle.open(content)


def test_pipes_folders_and_unlisted_files_are_refused(content: Path) -> None:
    (content / "extra.bin").write_bytes(b"")
    with pytest.raises(BundleError, match=r"extra\.bin is not listed"):
        Bundle.open(content)
    (content / "extra.bin").unlink()
    (content / "golden.json").unlink()
    os.mkfifo(content / "golden.json")
    with pytest.raises(BundleError, match=r"golden\.json is not a plain file"):
        Bundle.open(content)
    (content / "golden.json").unlink()
    (content / "golden.json").mkdir()
    with pytest.raises(BundleError, match=r"golden\.json"):
        Bundle.open(content)


def test_a_linked_content_folder_is_refused(content: Path, tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "content").symlink_to(content)
    with pytest.raises(BundleError, match="no bundle content"):
        Bundle.open(tmp_path / "bundle")


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/passwd", "a/b", "..", ".", ".hidden", "", "a\\b", "a\x00b", "x" * 129, "manifest.json"]
)
def test_file_names_that_are_paths_are_refused_before_anything_is_read(content: Path, name: str) -> None:
    entry = vars(FileEntry.of(b"secret"))
    (content.parent / "secret").write_bytes(b"secret")
    forge(content, lambda manifest: manifest["files"].update({name: entry}))  # type: ignore[attr-defined]
    with pytest.raises(BundleError, match="is not allowed"):
        Bundle.open(content)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format_version", 3, "format version 3.*reads 1 to 2.*Upgrade"),
        ("format_version", "2", "format version 2.*Upgrade"),
        ("format_version", True, "format version True"),
        ("format_version", 1, "has no field external_data"),
        ("recipe", "INT8 static", "recipe that is no name: 'INT8 static'"),
        ("recipe", "int8--static", "recipe that is no name"),
        ("recipe", "x" * 21, "recipe that is no name"),
        ("labels", [], "no labels"),
        ("labels", ["a", "a"], "same label twice"),
        ("labels", [1], "not a text"),
        ("model", "", "not a text"),
        ("signature", {"inputs": [], "outputs": []}, "no inputs"),
        ("signature", None, "bad value"),
        ("preprocessing", 3, "bad value"),
        ("files", {}, "lists no model.onnx"),
        ("files", {"model.onnx": {"sha256": "0" * 64, "size_bytes": -1}}, "size of 'model.onnx'"),
        ("files", {"model.onnx": {"sha256": "0" * 64, "size_bytes": True}}, "size of 'model.onnx'"),
        ("files", {"model.onnx": {"sha256": "xyz", "size_bytes": 1}}, "malformed"),
        ("files", {"model.onnx": {"sha256": "0" * 64, "size_bytes": 1, "url": "http://x"}}, "malformed"),
        ("surprise", 1, "has fields"),
        ("labels", "ab", "does not say what it is read as"),
        ("model", "a\nb", "not printable"),
        ("parameters", [], "does not say what it is read as"),
        ("signature", {"inputs": [{"name": "x", "dtype": "O", "shape": []}], "outputs": []}, "dtype 'O'"),
        ("signature", {"inputs": [{"name": "x", "dtype": "float32", "shape": [-1]}], "outputs": []}, "the shape"),
        ("signature", {"inputs": [{"name": "x", "dtype": "float32", "shape": [1e99]}], "outputs": []}, "the shape"),
        ("external_data", ["../weights"], "external_data: file name '../weights' is not allowed"),
        ("external_data", ["golden.json"], "external_data: file name 'golden.json' is not allowed"),
        ("external_data", ["model.onnx.data"], "lists no model.onnx.data"),
    ],
)
def test_a_forged_manifest_is_refused_with_the_field(content: Path, key: str, value: object, message: str) -> None:
    forge(content, lambda manifest: manifest.update({key: value}))
    with pytest.raises(BundleError, match=message):
        Bundle.open(content)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"null", b'{"a":NaN}', b'{"a":1,"a":1}', b'{"a": 1}', b"\xff", b"[" * 100_000]
)
def test_a_manifest_that_is_not_canonical_json_is_refused(content: Path, text: bytes) -> None:
    (content / "manifest.json").write_bytes(text)
    with pytest.raises(BundleError, match=r"manifest\.json is not canonical JSON"):
        Bundle.open(content)


def test_well_hashed_nonsense_in_the_other_files_is_refused(content: Path) -> None:
    for name, data in {
        "calibration.json": {"knots_x": [0, 1], "knots_y": [1, 0], "rows": 5},
        "reference.json": {"loss_mean": 0.5, "loss_upper_bound": 0.4, "rows": 1, "confidence_mean": 1},
        "golden.json": {"absolute_tolerance": 1, "inputs": "AAAA", "outputs": "AAAA"},
    }.items():
        good = (content / name).read_bytes()
        (content / name).write_bytes(to_canonical(data))
        entry = vars(FileEntry.of(to_canonical(data)))
        forge(content, lambda manifest, name=name, entry=entry: manifest["files"].update({name: entry}))  # type: ignore[misc]
        with pytest.raises(BundleError, match=f"{name} holds no"):
            Bundle.open(content)
        (content / name).write_bytes(good)
        entry = vars(FileEntry.of(good))
        forge(content, lambda manifest, name=name, entry=entry: manifest["files"].update({name: entry}))  # type: ignore[misc]


def test_nothing_is_written_of_a_content_that_could_not_be_read(tmp_path: Path, write: WriteContent) -> None:
    with pytest.raises(BundleError, match="recipe that is no name"):
        write(tmp_path / "draft", recipe="float 8")
    assert not (tmp_path / "draft").exists()
