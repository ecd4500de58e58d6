"""Models that were not tuned here, through the command line: export, inspect, compare, measure."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.main import main
from cli.measure_command import fp16_verdict
from evertune.bundle import BundleStore
from evertune.settings import load_project
from export.presence import is_here

Run = Callable[..., Any]
_TASK = """
import numpy as np
from evertune.rows import Rows
from evertune.task import Splits, Task
from evertune.tensors import TensorSpec

class Largest(Task):
    name = "largest"
    labels = ("a", "b", "c")
    inputs = (TensorSpec("x", "float32", (3,)),)

    def load(self):
        x = np.random.default_rng(0).standard_normal((1200, 3)).astype(np.float32)
        rows = Rows({"x": x}, x.argmax(axis=1))
        parts = [rows.take(slice(300 * part, 300 * part + 300)) for part in range(4)]
        return Splits(*parts, slices={"first": np.arange(300) < 100})

class Named(Largest):
    name = "another"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two models of scikit-learn, not yet exported."""
    import joblib
    from sklearn.linear_model import LogisticRegression
    from sklearn.tree import DecisionTreeClassifier

    folder = tmp_path_factory.mktemp("project")
    limits = "[limits]\nlatency_seconds = 1.0\n[serve]\nmax_batch_rows = 16\n"
    (folder / "evertune.toml").write_text(f'[project]\ntask = "task.py:Largest"\n{limits}')
    (folder / "task.py").write_text(_TASK)
    x = np.random.default_rng(1).standard_normal((300, 3)).astype(np.float32)
    joblib.dump(LogisticRegression().fit(x, x.argmax(axis=1)), folder / "linear.joblib")
    joblib.dump(DecisionTreeClassifier(max_depth=2).fit(x, x.argmax(axis=1)), folder / "tree.joblib")
    return folder


@pytest.fixture(scope="module")
def bundles(folder: Path) -> dict[str, dict[str, Any]]:
    """What `evertune export --json` printed for each; the linear one is for CUDA, and the champion."""
    return {
        "linear": _evertune(folder, "export", "linear.joblib", "--unpickle", "--promote", "--target", "cuda"),
        "tree": _evertune(folder, "export", str(folder / "tree.joblib"), "--unpickle", "--task", "task.py:Largest"),
    }


@pytest.fixture
def inside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


def _evertune(folder: Path, *arguments: str) -> Any:
    """Runs a command with `--json` in this process, before the function-scoped fixtures exist."""
    before, argv, out = Path.cwd(), sys.argv, io.StringIO()
    os.chdir(folder)
    sys.argv = ["evertune", *arguments, "--json"]
    try:
        with contextlib.redirect_stdout(out), pytest.raises(SystemExit) as end:
            main()
    finally:
        os.chdir(before)
        sys.argv = argv
    assert not end.value.code, out.getvalue()
    return json.loads(out.getvalue())


def test_the_lineage_says_where_a_model_came_from(folder: Path, bundles: dict[str, dict[str, Any]]) -> None:
    import hashlib

    origin = bundles["tree"]["attestation"]["lineage"]["origin"]
    content = (folder / "tree.joblib").read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    assert origin == {"from": "pickle", "file": "tree.joblib", "sha256": digest, "size_bytes": len(content)}
    assert str(folder) not in json.dumps(bundles["tree"]["attestation"])


def test_exported_once_more_it_has_the_same_digest(inside: Path, run: Run, bundles: dict[str, dict[str, Any]]) -> None:
    again = run("export", "tree.joblib", "--unpickle")
    assert bundles["tree"]["digest"] in again.out
    assert "exporting, verifying and measuring" in again.err
    assert f"evertune promote {bundles['tree']['digest'][:12]}" in again.out


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("tree.joblib",), 6, "run code from the file"),
        (("tree.txt",), 2, "no model that can be exported"),
        (("tree.joblib", "--unpickle", "--task", "task.py:Nobody"), 4, "no class 'Nobody'"),
        (("tree.joblib", "--unpickle", "--backend", "jax"), 2, "'jax' is unknown"),
        (("tree.joblib", "--target", "tpu"), 2, "'tpu' is unknown"),
        (("--unpickle",), 2, "--unpickle goes with MODEL"),
        (("--task", "task.py:Largest"), 2, "--task goes with MODEL"),
    ],
)
def test_refusals_have_their_exit_codes(
    inside: Path, run: Run, arguments: tuple[str, ...], code: int, told: str
) -> None:
    done = run("export", *arguments)
    assert done.code == code
    assert told in done.err


def test_a_task_without_build_cannot_be_searched(inside: Path, run: Run) -> None:
    done = run("tune", "--max-trials", "1")
    assert done.code == 4
    assert "has no build" in done.err


@pytest.mark.skipif(is_here("cuda"), reason="here is a GPU: nothing would be pending")
def test_a_gpu_that_is_not_here_leaves_figures_pending(
    inside: Path, run: Run, bundles: dict[str, dict[str, Any]]
) -> None:
    linear = bundles["linear"]
    assert linear["next"] == f"evertune measure {linear['digest'][:12]} --target cuda"
    assert linear["attestation"]["target"] == "cuda"
    assert all(each["latency_seconds"] == {} for each in linear["attestation"]["candidates"])
    refused = run("measure", linear["digest"], "--target", "cuda")
    assert refused.code == 6
    assert "nothing on cuda here" in refused.err
    assert linear["next"] in run("export", "linear.joblib", "--unpickle", "--target", "cuda").out
    other = run("export", "linear.joblib", "--unpickle", "--target", "tensorrt", "--json").json()
    assert other["next"].endswith("--target tensorrt")
    assert "--target" not in run("export", "linear.joblib", "--unpickle").out


def test_a_later_export_for_another_target_is_kept_beside(
    inside: Path, run: Run, bundles: dict[str, dict[str, Any]]
) -> None:
    other = run("export", "linear.joblib", "--unpickle", "--json").json()
    assert other["digest"] == bundles["linear"]["digest"]
    assert other["attestation"]["target"] == "cpu"
    assert set(other["attestation"]["candidates"][0]["latency_seconds"]) == {"1", "8", "64"}
    assert run("inspect", other["digest"], "--json").json()["attestation"]["target"] == "cuda"


def test_measure_adds_a_record_and_changes_nothing_else(
    inside: Path, run: Run, bundles: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = bundles["tree"]["digest"]
    monkeypatch.setenv("EVERTUNE_LIMITS__BATCH_ROWS", "16")
    monkeypatch.setenv("EVERTUNE_LIMITS__LATENCY_SECONDS", "1e-9")
    store = BundleStore(load_project().bundle_url)
    before = store.get(digest).attestation()
    record = run("measure", digest[:10], "--json").json()
    assert set(record["recipes"]) == {"fp32"}
    assert set(record["recipes"]["fp32"]["latency_interval"]) == {"1", "8", "16", "64"}
    found_milliseconds = record["recipes"]["fp32"]["latency_seconds"]["16"] * 1e3
    assert record["over_limit"].startswith(f"16 rows take {found_milliseconds:.3g} ms")
    bundle = store.get(digest)
    assert bundle.attestation() == before
    assert [each["measured_at"] for each in bundle.measurements()] == [record["measured_at"]]
    assert "measured on cpu" in run("inspect", digest).out
    assert "Measured where it serves" in Path(run("report", "evaluation", digest).out.strip()).read_text()
    (path,) = (bundle.path / "measurements").iterdir()
    path.write_bytes(path.read_bytes().replace(b"cpu", b"CPU"))
    assert run("inspect", digest).code == 7
    path.unlink()


@pytest.mark.parametrize(
    ("lower", "upper", "told"), [(0.8, 0.99, "worth it: export"), (0.9, 1.1, "neither"), (1.0, 1.2, "not worth it")]
)
def test_fp16_is_worth_it_where_the_interval_says_so(lower: float, upper: float, told: str) -> None:
    half = {
        "latency_ratio": {"1": 1.5, "16": (lower + upper) / 2},
        "latency_interval": {"1": {"lower": 1.4, "upper": 1.6}, "16": {"lower": lower, "upper": upper}},
    }
    said = fp16_verdict("fp32", {"target": "cuda", "batch_rows": 16, "recipes": {"fp16": half}})
    assert f"at batch 16: {told}" in said


def test_inspect_takes_a_model_a_digest_or_a_folder(inside: Path, run: Run, bundles: dict[str, dict[str, Any]]) -> None:
    linear = bundles["linear"]
    found = [run("inspect", which, "--json").json() for which in ("largest", linear["digest"][:8], linear["path"])]
    assert found[0] == found[1] == found[2]
    facts = found[0]
    assert facts["digest"] == linear["digest"]
    assert sum(facts["graph"]["operators"].values()) > 0
    assert facts["graph"]["opsets"]["ai.onnx"] >= 18
    assert facts["verified"]["content"] == ["manifest.json", *sorted(facts["files"])]
    assert facts["attestation"]["evaluation"]["slices"]["first"]["rows"] == 100
    text = run("inspect", "largest").out
    for words in ("signature", "fit their hashes", "nothing was run", "lineage:", "first 100", "Ships fp32"):
        assert words in text
    (inside / "largest").mkdir()  # a folder of that name is no bundle
    assert run("inspect", "largest", "--json").json()["digest"] == linear["digest"]
    (inside / "largest").rmdir()
    assert run("inspect", "nobody").code == 2


def test_inspect_counts_parameters_of_subgraphs_too(seal: Callable[[float], str], run: Run) -> None:
    facts = run("inspect", seal(2.0), "--json").json()
    assert facts["graph"] == {
        "operators": {"Div": 1, "Softmax": 1},
        "opsets": {"ai.onnx": 17},
        "ir_version": 9,
        "parameters": 1,
        "parameters_by_dtype": {"float": 1},
    }


def test_a_changed_byte_is_found_while_it_is_shown(run: Run, project: Any, seal: Callable[[float], str]) -> None:
    digest = seal(1.0)
    path = BundleStore(project.bundle_url).get(digest).model_path
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    done = run("inspect", digest)
    assert done.code == 7
    assert "model.onnx" in done.err


def test_compare_on_the_tasks_rows(inside: Path, run: Run, bundles: dict[str, dict[str, Any]]) -> None:
    tree, linear = bundles["tree"]["digest"], bundles["linear"]["digest"]
    found = run("compare", tree, linear, "--rounds", "2", "--json").json()
    rows = {"count": 300, "from": "test rows of the task largest", "labelled": True}
    assert found["rows"] == {**rows, "batch": 16}  # the server's, on which dynamic INT8 depends
    interval = found["loss"]["interval"]
    assert interval["lower"] < found["loss"]["b"] - found["loss"]["a"] < interval["upper"] < 0  # linear is better
    assert found["loss"]["a"] == pytest.approx(found["a"]["reference_loss"])
    assert 0.3 < found["answers"]["agreement_ratio"] < 1
    assert set(found["latency"]) == {"1", "8", "64"}
    assert found["rounds"] == 2
    same = run("compare", linear, linear, "--rounds", "1", "--rows", "50")
    assert same.code == 0
    assert "same decision on 100.00% of the rows" in same.out
    assert "latency: one round, both in turn" in same.out
    assert "neither is shown to be better" in same.out


def test_compare_on_golden_rows_where_the_task_is_not_at_hand(run: Run, seal: Callable[[float], str]) -> None:
    found = run("compare", seal(1.0), seal(2.0), "--rounds", "1", "--json").json()
    assert found["rows"]["count"] == 4
    assert found["rows"]["from"].startswith("golden rows of both bundles (no task at hand")
    assert found["loss"] is None
    assert found["answers"]["agreement_ratio"] == 1.0
    assert found["answers"]["largest_difference"] == pytest.approx(0.15, abs=0.1)


def test_a_task_whose_rows_fail_is_named(inside: Path, run: Run, bundles: dict[str, dict[str, Any]]) -> None:
    broken = _TASK.replace("    def load(self):\n", "    def load(self):\n        raise OSError('disk gone')\n")
    (inside / "broken.py").write_text(broken)
    done = run("compare", "largest", bundles["tree"]["digest"], "--task", "broken.py:Largest")
    assert done.code == 4
    assert "broken.py, line " in done.err
    assert "Task.data failed: OSError: disk gone" in done.err


def test_what_cannot_be_compared_is_refused(inside: Path, run: Run, bundles: dict[str, dict[str, Any]]) -> None:
    import joblib
    from sklearn.linear_model import LogisticRegression

    x = np.eye(3, dtype=np.float32)
    joblib.dump(LogisticRegression().fit(x, [0, 1, 2]), "other.joblib")
    other = run("export", "other.joblib", "--unpickle", "--task", "task.py:Named", "--json").json()
    done = run("compare", "largest", other["digest"])
    assert done.code == 2
    assert "different models: largest and another" in done.err
    wrong = run("compare", "largest", bundles["tree"]["digest"], "--task", "task.py:Named")
    assert wrong.code == 2
