"""Sound bundles to mutate: weights beside the graph, a preprocessor, training files, a signature."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evertune.bundle import BundleStore, ConfidenceMap, FileEntry, Golden, Manifest, Reference, write_content
from evertune.bundle.canonical import to_canonical
from evertune.bundle.trust import Signer
from evertune.preprocessing import Numbers, Preprocessor
from evertune.tensors import Signature, TensorSpec

DATA = "model.onnx.data"
_WEIGHTS = np.array([[1.0, -1.0, 0.5], [0.25, 2.0, -0.75]], np.float32)


@dataclass(frozen=True)
class Victim:
    """Two stored bundles of one signing key.

    Attributes:
        bundle: Folder of the one that is mutated, named by its digest.
        other: Folder of another one, sound as well.
        public_key: Of the key that signed both.
    """

    bundle: Path
    other: Path
    public_key: str


@dataclass
class Mutant:
    """A copy that a mutation changes, and how it is to be read.

    Attributes:
        store: Folder that holds the copy.
        folder: The copy, named by its digest.
        victim: What it was copied from.
        trusts: Whether the reader asks for the signature.
        remote: Whether it is read through fsspec, as from an object store.
    """

    store: Path
    folder: Path
    victim: Victim
    trusts: bool = True
    remote: bool = False

    @property
    def content(self) -> Path:
        """Folder of the files that the digest covers."""
        return self.folder / "content"

    def reseal(self, change: Callable[[dict[str, Any]], Any] | None = None, *, raw: bytes | None = None) -> None:
        """Makes the copy consistent again, as an attacker would: new hashes, new digest, and a folder named by it.

        Args:
            change: Of the manifest's JSON, after the hashes.
            raw: The manifest's bytes instead.
        """
        manifest = json.loads((self.content / "manifest.json").read_bytes())
        for name in manifest["files"]:
            if (self.content / name).is_file():
                manifest["files"][name] = vars(FileEntry.of((self.content / name).read_bytes()))
        if change is not None:
            change(manifest)
        head = to_canonical(manifest) if raw is None else raw
        (self.content / "manifest.json").write_bytes(head)
        self.folder = self.folder.rename(self.store / FileEntry.of(head).sha256)
        self.trusts = False


def make_victim(folder: Path) -> Victim:
    """Seals two bundles into a store below `folder`."""
    key = folder / "key.pem"
    public_key = Signer.create(key)
    store = BundleStore(str(folder / "store"), signing_key=key)
    training = folder / "training"
    training.mkdir()
    (training / "weights.npz").write_bytes(bytes(range(256)))
    (training / "hyperparameters.json").write_bytes(b'{"units":2}')
    bundles = []
    for name in ("weather", "harvest"):
        _write(folder / name, name)
        bundle = store.put(folder / name, attestation={"lineage": {"study": name}}, training=training)
        bundles.append(store.add_measurement(bundle.digest, {"target": "cpu", "measured_at": 1.0, "study": name}))
    return Victim(bundles[0].path, bundles[1].path, public_key)


def copy_of(victim: Victim, store: Path) -> Mutant:
    """A sound copy in an empty store."""
    shutil.copytree(victim.bundle, store / victim.bundle.name)
    return Mutant(store, store / victim.bundle.name, victim)


def _write(folder: Path, model: str) -> Manifest:
    step = Numbers.fit({"wind": [3.0, 5.0], "rain": [0.0, 1.0]}, ["wind", "rain"], output="x")
    folder.mkdir()
    weights = folder.parent / f"{model}.data"
    weights.write_bytes(_WEIGHTS.tobytes())
    x = np.array([[0, 1], [2, -1], [0.5, 0.5]], np.float32)
    exp = np.exp(x @ _WEIGHTS)
    return write_content(
        folder,
        model_bytes=graph(),
        external_data={DATA: weights},
        model=model,
        kind="classification",
        labels=("dry", "wet", "snow"),
        signature=Signature((step.spec,), (TensorSpec("probabilities", "float32", (3,)),)),
        preprocessing=Preprocessor((step,)).to_json(),
        recipe="fp32",
        calibration=ConfidenceMap((0.5, 1.0), (0.4, 0.9), rows=100),
        reference=Reference(0.1, 0.12, 1000, 0.9),
        golden=Golden({"x": x}, {"probabilities": exp / exp.sum(axis=1, keepdims=True)}, 1e-4),
    )


def graph(**changes: Any) -> bytes:
    """softmax(x @ weights + bias).

    Args:
        **changes: `external`: what is said of where the weights lie; `dims`: their shape; `nodes`: more nodes;
            `tensors`: more initializers.
    """
    from onnx import TensorProto, helper, numpy_helper

    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 2])
    y = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["rows", 3])
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=changes.get("dims", (2, 3)))
    weights.data_location = TensorProto.EXTERNAL
    external = {"location": DATA, "offset": "0", "length": str(_WEIGHTS.nbytes), **changes.get("external", {})}
    for key, value in external.items():
        weights.external_data.add(key=key, value=value)
    bias = numpy_helper.from_array(np.zeros(3, np.float32), "b")
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], "product"),
        helper.make_node("Add", ["h", "b"], ["a"], "sum"),
        helper.make_node("Softmax", ["a"], ["probabilities"], "softmax"),
    ]
    tensors = [weights, bias, *changes.get("tensors", ())]
    made = helper.make_graph([*changes.get("nodes", ()), *nodes], "g", [x], [y], tensors)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())
