"""Models whose weights lie beside the graph, as those above 2 GB must."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, external_data_helper, helper, numpy_helper

from evertune.bundle import Bundle, BundleStore, Golden, Manifest
from evertune.errors import BundleError

WriteContent = Callable[..., Manifest]
WEIGHTS = np.array([[1, 2], [3, 4]], np.float32)
DATA = "model.onnx.data"


def graph(location: str = DATA, offset: int = 16, length: int = 16, dims: tuple[int, ...] = (2, 2)) -> bytes:
    """probabilities = softmax(x @ weights), the weights at that place of that file."""
    tensors = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["rows", 2]) for n in ("x", "probabilities")]
    weights = numpy_helper.from_array(WEIGHTS, "w")
    external_data_helper.set_external_data(weights, location, offset=offset, length=length)
    weights.ClearField("raw_data")
    del weights.dims[:]
    weights.dims.extend(dims)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Softmax", ["h"], ["probabilities"])]
    made = helper.make_graph(nodes, "g", tensors[:1], tensors[1:], [weights])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


@pytest.fixture
def big(tmp_path: Path, write: WriteContent) -> Callable[..., Path]:
    """Writes a content folder whose weights lie in a file of their own."""

    def make(model: bytes = b"", names: tuple[str, ...] = (DATA,), **changes: Any) -> Path:
        source = tmp_path / "weights"
        source.write_bytes(b"\0" * 16 + WEIGHTS.tobytes())
        x = np.array([[0, 1]], np.float32)
        exp = np.exp(x @ WEIGHTS)
        golden = Golden({"x": x}, {"probabilities": exp / exp.sum()}, 1e-5)
        files = dict.fromkeys(names, source)
        write(tmp_path / "draft", model_bytes=model or graph(), external_data=files, golden=golden, **changes)
        return tmp_path / "draft"

    return make


@pytest.mark.parametrize("prefix", ["", "local://"])
def test_weights_beside_the_graph_are_sealed_stored_and_used(
    big: Callable[..., Path], tmp_path: Path, prefix: str
) -> None:
    store = BundleStore(f"{prefix}{tmp_path / 'store'}", cache=tmp_path / "cache")
    bundle = store.put(big(), attestation={})
    assert bundle.manifest.external_data == (DATA,)
    assert (bundle.content_path / DATA).read_bytes() == b"\0" * 16 + WEIGHTS.tobytes()
    bundle.golden.check(bundle.verified_session().run(bundle.golden.inputs))
    data = bundle.content_path / DATA
    data.chmod(0o644)
    data.write_bytes(b"\1" * 32)
    with pytest.raises(BundleError, match=r"model\.onnx\.data"):
        bundle.verified_session()
    with pytest.raises(BundleError, match=r"model\.onnx\.data"):
        Bundle.open(bundle.path)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"location": "../weights"}, r"data in '\.\./weights', which manifest\.json does not list"),
        ({"location": "/etc/passwd"}, "does not list"),
        ({"location": "golden.json"}, "does not list"),
        ({"location": "*/_ORT_MEM_ADDR_/*"}, "does not list"),  # an address in ONNX Runtime's memory
        ({"offset": 17}, "has 16 bytes at 17"),
        ({"offset": -1}, "external data at"),
        ({"offset": 1 << 62}, "external data at"),
        ({"length": 8}, "has 8 bytes at 16"),
        ({"dims": (2, 3)}, r"its shape \[2, 3\] takes 24"),
        ({"dims": (1 << 30, 1 << 30)}, "has the shape"),
    ],
)
def test_what_refers_to_other_data_is_refused_before_it_is_loaded(
    big: Callable[..., Path], model: dict[str, Any], message: str
) -> None:
    bundle = Bundle.open(big(graph(**model)))
    with pytest.raises(BundleError, match=message):
        bundle.session()


def test_data_that_the_graph_does_not_use_is_refused(big: Callable[..., Path], tmp_path: Path) -> None:
    bundle = Bundle.open(big(names=(DATA, "more.data")))
    with pytest.raises(BundleError, match=r"refers to no data in more\.data"):
        bundle.audit()
