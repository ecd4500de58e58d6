from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evertune.bundle import ConfidenceMap, Golden, Manifest, Reference, write_content
from evertune.tensors import Signature, TensorSpec

WriteContent = Callable[..., Manifest]

SIGNATURE = Signature((TensorSpec("x", "float32", (2,)),), (TensorSpec("probabilities", "float32", (2,)),))


@pytest.fixture(scope="session")
def model_bytes() -> bytes:
    """An ONNX model: probabilities = softmax(x)."""
    from onnx import TensorProto, helper

    tensors = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["rows", 2]) for n in ("x", "probabilities")]
    graph = helper.make_graph([helper.make_node("Softmax", ["x"], ["probabilities"])], "g", tensors[:1], tensors[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


@pytest.fixture(scope="session")
def golden() -> Golden:
    """Two rows and what softmax makes of them."""
    x = np.array([[0, 0], [0, np.log(3)]], np.float32)
    return Golden({"x": x}, {"probabilities": np.array([[0.5, 0.5], [0.25, 0.75]], np.float32)}, 1e-6)


@pytest.fixture
def write(model_bytes: bytes, golden: Golden) -> WriteContent:
    """Writes a content folder: `write(folder, model="m", ...)`."""

    def make(folder: Path, **changes: Any) -> Manifest:
        values: dict[str, Any] = {
            "model_bytes": model_bytes,
            "model": "shoes",
            "kind": "classification",
            "labels": ("boot", "sandal"),
            "signature": SIGNATURE,
            "preprocessing": {},
            "recipe": "fp32",
            "calibration": ConfidenceMap((0.5, 1.0), (0.4, 0.9), rows=100),
            "reference": Reference(loss_mean=0.1, loss_upper_bound=0.12, rows=1000, confidence_mean=0.9),
            "golden": golden,
        }
        return write_content(folder, **{**values, **changes})

    return make


@pytest.fixture
def content(tmp_path: Path, write: WriteContent) -> Path:
    """A sound content folder."""
    write(tmp_path / "draft")
    return tmp_path / "draft"
