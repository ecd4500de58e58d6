"""A tiny real model, and a real `bentoml serve` for the whole session."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from onnx import TensorProto, helper, numpy_helper
from prometheus_client.parser import text_string_to_metric_families

from evertune.bundle import Bundle, BundleStore, ConfidenceMap, Golden, Reference, write_content
from evertune.keys import Keyring
from evertune.ledger import Ledger
from evertune.preprocessing import Categories, Image, Numbers, Preprocessor, Text
from evertune.runtime import Session
from evertune.settings import Project, load_project
from evertune.tensors import Signature, TensorSpec
from serve.command import bentoml_command

LABELS = ("boot", "sandal", "sneaker")
SHAPE = (4, 4)
SIGNATURE = Signature((TensorSpec("image", "uint8", SHAPE),), (TensorSpec("probabilities", "float32", (3,)),))

MakeBundle = Callable[..., Bundle]


def onnx_bytes(seed: int, *, poison: bool = False) -> bytes:
    """Flatten, Cast, Gemm, Softmax with random weights.

    With `poison`, a row whose first pixel is 255 gives NaN: log of a negative number.
    """
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(16, 3)).astype(np.float32) / 256
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"]),
        helper.make_node("Cast", ["flat"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("Gemm", ["pixels", "weights", "bias"], ["logits"]),
    ]
    constants = [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(np.zeros(3, np.float32), "bias")]
    last = "logits"
    if poison:
        constants += [
            numpy_helper.from_array(np.array([0]), "first"),
            numpy_helper.from_array(np.array(254.5, np.float32), "limit"),
        ]
        nodes += [
            helper.make_node("Gather", ["pixels", "first"], ["pixel"], axis=1),
            helper.make_node("Sub", ["limit", "pixel"], ["room"]),
            helper.make_node("Log", ["room"], ["log"]),
            helper.make_node("Sub", ["log", "log"], ["zero"]),
            helper.make_node("Add", ["logits", "zero"], ["tainted"]),
        ]
        last = "tainted"
    nodes.append(helper.make_node("Softmax", [last], ["probabilities"]))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", *SHAPE])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 3])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    return bytes(model.SerializeToString())


@pytest.fixture
def make_bundle(tmp_path: Path) -> MakeBundle:
    """Puts a bundle with weights of its own into a store."""

    def make(store: BundleStore, seed: int, *, model: str = "shoes", poison: bool = False) -> Bundle:
        return put_bundle(store, tmp_path / f"draft-{model}-{seed}", seed, model=model, poison=poison)

    return make


def put_bundle(store: BundleStore, draft: Path, seed: int, *, model: str = "shoes", poison: bool = False) -> Bundle:
    content = onnx_bytes(seed, poison=poison)
    inputs = {"image": np.random.default_rng(0).integers(0, 250, (4, *SHAPE), dtype=np.uint8)}
    write_content(
        draft,
        model_bytes=content,
        model=model,
        kind="classification",
        labels=LABELS,
        signature=SIGNATURE,
        preprocessing={},
        recipe="fp32",
        calibration=ConfidenceMap((0.0, 1.0), (0.0, 1.0), 100),
        reference=Reference(0.1, 0.15, 100, 0.9),
        golden=Golden(inputs, Session(content, SIGNATURE).run(inputs), 1e-5),
    )
    return store.put(draft, attestation={})


def make_project(root: Path, text: str = "") -> Project:
    """A folder with an `evertune.toml` and nothing else."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "evertune.toml").write_text(text)
    return load_project(root)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "project")


@dataclass
class Server:
    """A running `bentoml serve`."""

    project: Project
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    key: str
    before_champion: dict[str, httpx.Response] = field(default_factory=dict)
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=30, verify=False, trust_env=False))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    def get(self, path: str) -> httpx.Response:
        return self.client.get(self.url + path)

    def post(self, path: str, document: Any) -> httpx.Response:
        return self.client.post(self.url + path, json=document, headers=self.headers)

    def infer(self, pixel: int = 1) -> httpx.Response:
        return self.post("/v2/models/shoes/infer", infer_document(pixel))

    def promote(self, digest: str, model: str = "shoes") -> None:
        with Ledger.open(self.project.ledger_url) as ledger:
            ledger.registry.promote(model, digest, reason="test", actor="test")

    def put(self, seed: int, *, model: str = "shoes", poison: bool = False) -> Bundle:
        draft = self.project.root.parent / f"draft-{model}-{seed}"
        return put_bundle(BundleStore(self.project.bundle_url), draft, seed, model=model, poison=poison)

    def wait(self, condition: Callable[[], bool]) -> None:
        wait_until(condition, lambda: self.process.poll() is None, self.log)

    def all_workers_serve(self, digest: str) -> bool:
        """Whether twenty connections in a row, which the kernel spreads over the workers, find that bundle."""
        with httpx.Client(headers={"Connection": "close"}, verify=False) as client:
            found = [client.get(f"{self.url}/v2/models", timeout=20).json()["models"] for _ in range(20)]
        return all(digest in [entry["digest"] for entry in models] for models in found)

    def counted(self, name: str, **labels: str) -> float:
        """Sum of the samples of a metric that have these labels."""
        families = text_string_to_metric_families(self.get("/metrics").text)
        samples = (sample for family in families for sample in family.samples)
        return sum(
            sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items()
        )

    def workers(self) -> list[psutil.Process]:
        return [child for child in psutil.Process(self.process.pid).children() if _is_worker(child)]


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "_bentoml_impl.worker.service" in process.cmdline()
    except psutil.Error:  # it has just died
        return False


def infer_document(pixel: int = 1) -> dict[str, Any]:
    return {"inputs": [{"name": "image", "shape": [1, *SHAPE], "datatype": "UINT8", "data": [pixel] * 16}]}


def start_server(project: Project, log: Path, *, workers: int = 1) -> Server:
    key = Keyring(project.keys_path).create("test", ["predict", "label"])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command, environment = bentoml_command(project, port=port, workers=workers)
    with log.open("ab") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
    server = Server(project, port, process, log, key)
    wait_until(lambda: answers(server), lambda: process.poll() is None, log)
    return server


def answers(server: Server) -> bool:
    try:
        return server.get("/v2/health/live").status_code == 200
    except httpx.TransportError:
        return False


def wait_until(
    condition: Callable[[], bool], alive: Callable[[], bool] = lambda: True, log: Path | None = None
) -> None:
    until = time.monotonic() + 60
    while not condition():
        text = log.read_text()[-3000:] if log else ""
        assert alive(), f"the server ended: {text}"
        assert time.monotonic() < until, f"still not so after a minute: {text}"
        time.sleep(0.02)


def family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def stop_server(server: Server) -> None:
    """Sends SIGTERM, and kills whatever is left should a test have failed."""
    server.client.close()
    processes = family(server.process.pid) if server.process.poll() is None else []
    if server.process.poll() is None:
        server.process.send_signal(signal.SIGTERM)
    _, left = psutil.wait_procs(processes, timeout=30)
    for process in left:
        process.kill()
    server.process.wait()
    assert not left, f"processes left behind: {left}"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers of the test's own, and sees to it that they end."""
    started: list[Server] = []

    def begin(project: Project, *, workers: int = 1) -> Server:
        started.append(start_server(project, tmp_path / "log", workers=workers))
        return started[-1]

    yield begin
    for one in started:
        stop_server(one)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two workers. It is started without a champion, asked a few things, then given one."""
    root = tmp_path_factory.mktemp("served")
    project = make_project(root / "project", "[serve]\nmax_body_bytes = 20000\nregistry_poll_seconds = 0.1\n")
    running = start_server(project, root / "log", workers=2)
    try:
        running.before_champion = {
            "live": running.get("/v2/health/live"),
            "ready": running.get("/v2/health/ready"),
            "infer": running.infer(),
            "predict": running.post("/predict", {"inputs": {"image": [[[0] * 4] * 4]}}),
            "openapi": running.get("/openapi.json"),
        }
        bundle = running.put(1)
        running.promote(bundle.digest)
        running.wait(lambda: running.all_workers_serve(bundle.digest))
        yield running
    finally:
        stop_server(running)
        shutil.rmtree(root, ignore_errors=True)


RAW = Preprocessor(
    (
        Image("photo", *SHAPE, channels=1, output="image"),
        Numbers(("age",), (40.0,), (40.0,), (10.0,), "numbers"),
        Categories(("city",), (("Oslo", "Rome"),), "codes"),
        Text.fit({"note": ["to be worn", "worn out", "new"] * 5}, "note", length=4, vocabulary=300),
    )
)
"""One step of each kind; the first makes the input that the tiny model has."""


def put_raw_bundle(store: BundleStore, draft: Path, preprocessor: Preprocessor, *, model: str) -> Bundle:
    """A bundle whose graph is one random layer over all that the preprocessor makes."""
    signature = Signature(preprocessor.outputs, (TensorSpec("probabilities", "float32", (3,)),))
    content = _raw_onnx(signature)
    example = {column.name: [column.example] * 2 for column in preprocessor.columns}
    inputs = preprocessor.transform(example)
    write_content(
        draft,
        model_bytes=content,
        model=model,
        kind="classification",
        labels=LABELS,
        signature=signature,
        preprocessing=preprocessor.to_json(),
        recipe="fp32",
        calibration=ConfidenceMap((0.0, 1.0), (0.0, 1.0), 100),
        reference=Reference(0.1, 0.15, 100, 0.9),
        golden=Golden(inputs, Session(content, signature).run(inputs), 1e-5),
    )
    return store.put(draft, attestation={})


def _raw_onnx(signature: Signature) -> bytes:
    types = {"uint8": TensorProto.UINT8, "int32": TensorProto.INT32, "float32": TensorProto.FLOAT}
    nodes, width = [], 0
    for spec in signature.inputs:
        nodes.append(helper.make_node("Cast", [spec.name], [f"{spec.name}_float"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Flatten", [f"{spec.name}_float"], [f"{spec.name}_flat"]))
        width += int(np.prod([size or 1 for size in spec.shape]))
    nodes += [
        helper.make_node("Concat", [f"{spec.name}_flat" for spec in signature.inputs], ["all"], axis=1),
        helper.make_node("Gemm", ["all", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    weights = np.random.default_rng(0).normal(size=(width, 3)).astype(np.float32) / 256
    graph = helper.make_graph(
        nodes,
        "raw",
        [helper.make_tensor_value_info(s.name, types[s.dtype], ["batch", *s.shape]) for s in signature.inputs],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return bytes(model.SerializeToString())


@pytest.fixture(scope="session")
def raw_preprocessor() -> Preprocessor:
    return RAW


@pytest.fixture(scope="session")
def raw_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two models in one server: `wardrobe` takes raw columns and is the default, `shoes` takes tensors."""
    root = tmp_path_factory.mktemp("raw")
    text = "[serve]\nmax_body_bytes = 200000\nmax_queue_rows = 100\nregistry_poll_seconds = 0.1\n"
    text += 'models = ["wardrobe", "shoes"]\ndefault_model = "wardrobe"\n'
    project = make_project(root / "project", text)
    running = start_server(project, root / "log")
    try:
        running.promote(running.put(1, model="hats").digest, "hats")  # has a champion, is not to be served
        running.promote(running.put(1).digest)
        running.wait(lambda: running.get("/v2/models/shoes/ready").status_code == 200)
        running.before_champion = {"ready": running.get("/readyz"), "predict": running.post("/predict", {"inputs": {}})}
        bundle = put_raw_bundle(BundleStore(project.bundle_url), root / "raw", RAW, model="wardrobe")
        running.promote(bundle.digest, "wardrobe")
        running.wait(lambda: running.get("/readyz").status_code == 200)
        yield running
    finally:
        stop_server(running)
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def put_raw(tmp_path: Path) -> Callable[..., Bundle]:
    """Puts a bundle of the model `wardrobe` with a preprocessor into a store."""

    def put(store: BundleStore, preprocessor: Preprocessor) -> Bundle:
        return put_raw_bundle(store, tmp_path / "draft-raw", preprocessor, model="wardrobe")

    return put
