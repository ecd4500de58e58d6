"""Runs the command line in this process, in a project with real, tiny bundles."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from cli.main import main
from evertune.bundle import BundleStore, ConfidenceMap, Golden, Reference, write_content
from evertune.runtime.session import Session
from evertune.settings import Project, load_project
from evertune.tensors import Signature, TensorSpec

SIGNATURE = Signature((TensorSpec("x", "float32", (2,)),), (TensorSpec("probabilities", "float32", (2,)),))


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Outcome]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `evertune ARGUMENTS`."""

    def start(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["evertune", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        captured = capsys.readouterr()
        return Outcome(int(end.value.code or 0), captured.out, captured.err)

    return start


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty project, and the working folder in it."""
    (tmp_path / "evertune.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    return load_project(tmp_path)


@pytest.fixture
def seal(project: Project) -> Callable[[float], str]:
    """Puts a softmax of that temperature into the project's store; returns the digest."""

    def make(temperature: float) -> str:
        content = project.root / f"draft-{temperature}"
        model, inputs = _softmax(temperature), {"x": np.array([[0.0, 1.0], [2.0, 0.0]], np.float32)}
        write_content(
            content,
            model_bytes=model,
            model="shoes",
            kind="classification",
            labels=("boot", "sandal"),
            signature=SIGNATURE,
            preprocessing={},
            recipe="fp32",
            calibration=ConfidenceMap((0.5, 1.0), (0.5, 1.0), rows=500),
            reference=Reference(0.1, 0.12, 1000, 0.9),
            golden=Golden(inputs, Session(model, SIGNATURE).run(inputs), 1e-4),
        )
        return BundleStore(project.bundle_url).put(content, attestation={}).digest

    return make


def _softmax(temperature: float) -> bytes:
    tensors = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["rows", 2]) for n in ("x", "probabilities")]
    scale = helper.make_tensor("temperature", TensorProto.FLOAT, [], [temperature])
    nodes = [
        helper.make_node("Div", ["x", "temperature"], ["scaled"]),
        helper.make_node("Softmax", ["scaled"], ["probabilities"]),
    ]
    graph = helper.make_graph(nodes, "g", tensors[:1], tensors[1:], [scale])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())
