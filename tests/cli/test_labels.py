"""Labels in bulk: from real files into a real ledger, and back."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.labels.entry import Entry
from cli.labels.importer import check, rehearse, store
from cli.labels.meanings import Meanings
from cli.labels.staging import Staging
from evertune.bundle import BundleStore
from evertune.ids import new_request_id, row_id
from evertune.ledger import Label, Ledger, Prediction
from evertune.settings import MonitorSettings, Project
from monitoring.evaluator import Evaluator

Run = Callable[..., Any]
Seal = Callable[[float], str]
Lines = Sequence[tuple[Any, ...]]


@pytest.fixture
def rows(run: Run, project: Project, seal: Seal) -> list[str]:
    """Row ids of six predictions, all "sandal", by the champion."""
    digest = seal(1.0)
    assert run("promote", digest).code == 0
    return predict(project, digest, 6)


def predict(project: Project, digest: str, count: int, horizon_seconds: float = 0.0) -> list[str]:
    with Ledger.open(project.ledger_url) as ledger:
        now = ledger.clock()
        made = [
            Prediction(
                new_request_id(now + place),
                "shoes",
                digest,
                now + place,
                {"probabilities": np.array([[0.2, 0.8]], np.float32)},
                np.array([0.8], np.float32),
                label_horizon_seconds=horizon_seconds,
            )
            for place in range(count)
        ]
        ledger.predictions.add_many(made)
    return [row_id(each.request_id, 0) for each in made]


def write(path: Path, names: Sequence[str], lines: Lines) -> Path:
    """The same lines in the format that the name says."""
    if path.suffix == ".parquet":
        columns = {name: [line[place] for line in lines] for place, name in enumerate(names)}
        pyarrow.parquet.write_table(pyarrow.table(columns), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(dict(zip(names, line, strict=True))) + "\n" for line in lines))
    else:
        with path.open("w", newline="") as file:
            csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",").writerows([names, *lines])
    return path


def stored(project: Project) -> dict[str, float]:
    with Ledger.open(project.ledger_url) as ledger:
        return {row.row_id: row.label for row in ledger.labels.page("shoes")}


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_every_format_imports_the_same_and_twice_changes_nothing(
    run: Run, project: Project, rows: list[str], tmp_path: Path, suffix: str
) -> None:
    file = write(tmp_path / f"truth{suffix}", ("id", "label"), [(row, "boot") for row in rows])
    first = run("labels", "import", str(file), "--json")
    assert first.code == 0
    assert first.json() == {
        **{"lines": 6, "accepted": 6, "unchanged": 0, "corrected": 0},
        **{"malformed": 0, "unknown_id": 0, "unknown_class": 0, "stored": True, "dry_run": False},
    }
    again = run("labels", "import", str(file), "--json").json()
    assert (again["accepted"], again["unchanged"]) == (0, 6)
    assert stored(project) == dict.fromkeys(rows, 0)


def test_other_columns_and_indices_and_a_progress_free_table(run: Run, rows: list[str], tmp_path: Path) -> None:
    lines = [("x", rows[0], 1), ("y", rows[1], "boot")]
    file = write(tmp_path / "truth.csv", ("note", "prediction", "defect"), lines)
    done = run("labels", "import", str(file), "--id-column", "prediction", "--label-column", "defect")
    assert done.code == 0
    assert done.out.startswith("2 lines\n")
    assert re.findall(r"(?m)^ *(\w[\w ]*\w) +(\d+) *$", done.out) == [
        *(("accepted", "2"), ("unchanged", "0"), ("corrected", "0")),
        *(("malformed", "0"), ("unknown id", "0"), ("unknown class", "0")),
    ]


def test_one_bad_line_refuses_the_file_and_every_kind_is_named_with_its_line(
    run: Run, project: Project, rows: list[str], tmp_path: Path
) -> None:
    stranger = row_id(new_request_id(), 0)
    lines = [(rows[0], "boot"), ("nonsense", "boot"), (stranger, "boot"), (rows[1], "shoe"), (rows[2], 2), (rows[0],)]
    path = tmp_path / "truth.csv"
    path.write_text("id,label\n" + "".join(",".join(map(str, line)) + "\n" for line in lines))
    done = run("labels", "import", str(path), "--json")
    assert done.code == 2
    told = done.json()
    assert (told["malformed"], told["unknown_id"], told["unknown_class"], told["stored"]) == (2, 1, 2, False)
    assert [each["line"] for each in told["first"]["malformed"]] == [3, 7]
    assert [each["line"] for each in told["first"]["unknown_class"]] == [5, 6]
    assert told["first"]["unknown_id"] == [{"line": 4, "why": f"{stranger} was never predicted"}]
    assert stored(project) == {}
    text = run("labels", "import", str(path))
    assert "unknown class, line 5: label 'shoe' is no class of the model" in text.err
    assert "--skip-bad" in text.err
    assert run("labels", "import", str(path), "--skip-bad", "--json").json()["accepted"] == 1
    assert stored(project) == {rows[0]: 0}


def test_a_dry_run_tells_the_same_and_stores_nothing(
    run: Run, project: Project, rows: list[str], tmp_path: Path
) -> None:
    run("labels", "import", str(write(tmp_path / "old.csv", ("id", "label"), [(rows[0], "boot")])))
    lines = [(rows[0], "boot"), (rows[0], "sandal"), (rows[0], "sandal"), (rows[1], "boot"), (rows[1], "boot")]
    file = write(tmp_path / "new.csv", ("id", "label"), lines)
    rehearsed = run("labels", "import", str(file), "--dry-run", "--json").json()
    assert stored(project) == {rows[0]: 0}
    real = run("labels", "import", str(file), "--json").json()
    counts = ("accepted", "unchanged", "corrected")
    assert [rehearsed[name] for name in counts] == [real[name] for name in counts] == [1, 3, 1]


def test_corrections_keep_their_history_and_no_detector_sees_a_row_twice(
    run: Run, project: Project, rows: list[str], tmp_path: Path
) -> None:
    def evaluated() -> tuple[int, float]:
        with Ledger.open(project.ledger_url) as ledger:
            store = BundleStore(project.bundle_url)
            Evaluator(ledger, store, MonitorSettings(), ledger.clock).step_model("shoes")
            (record,) = ledger.detectors.list("shoes")
            losses = ledger.losses.window("shoes", None, 0.0, ledger.clock() + 100)
            assert losses.rows == record.state["count"]
            return record.state["count"], losses.loss_sum

    run("labels", "import", str(write(tmp_path / "a.csv", ("id", "label"), [(row, "boot") for row in rows[:4]])))
    assert evaluated() == (4, 4.0)
    lines = [(rows[0], "sandal"), (rows[0], "boot"), (rows[1], "sandal"), (rows[4], "sandal"), (rows[2], "boot")]
    told = run("labels", "import", str(write(tmp_path / "b.csv", ("id", "label"), lines)), "--json").json()
    assert (told["accepted"], told["unchanged"], told["corrected"]) == (1, 1, 3)
    assert evaluated() == (5, 4.0)
    assert evaluated() == (5, 4.0)
    with Ledger.open(project.ledger_url) as ledger:
        history = ledger.labels.revisions(rows[0])
        assert [each.label for each in history] == [0, 1, 0]
        assert [each.sequence for each in history] == sorted(each.sequence for each in history)
        assert all(each.key_id.startswith("import:") for each in history)
        assert ledger.labels.latest(rows) == {rows[0]: 0, rows[1]: 1, rows[2]: 0, rows[3]: 0, rows[4]: 1}


def test_a_time_column_decides_the_order(run: Run, project: Project, rows: list[str], tmp_path: Path) -> None:
    lines = [(rows[0], "boot", "2026-03-01T12:00:00Z"), (rows[1], "boot", "2026-03-01T12:30:00+01:00")]
    lines += [(rows[0], "sandal", "2026-02-01"), (rows[2], "boot", "1700000000.5")]
    file = write(tmp_path / "truth.csv", ("id", "label", "at"), lines)
    assert run("labels", "import", str(file), "--time-column", "at").code == 0
    with Ledger.open(project.ledger_url) as ledger:
        assert [row.row_id for row in ledger.labels.after("shoes", 0, 9)] == [rows[2], rows[0], rows[1]]
        assert [each.label for each in ledger.labels.revisions(rows[0])] == [1, 0]
    bad = write(tmp_path / "bad.jsonl", ("id", "label", "at"), [(rows[0], "boot", "soon"), (rows[1], "boot", None)])
    told = run("labels", "import", str(bad), "--time-column", "at", "--json").json()
    assert (told["malformed"], told["first"]["malformed"][0]["why"]) == (2, "'soon' is no time")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("truth.xlsx", b"", "unknown format '.xlsx'"),
        ("truth.csv", b"id,truth\nx,y\n", "no column 'label'; it has id, truth"),
        ("truth.csv", b"", "no column 'id', 'label'; it has none"),
        ("truth.csv", b"id,label\n\xff\xfe,1\n", "codec can't decode"),
        ("truth.csv", b'id,label\n"x,1\n', "line 3"),
        ("truth.parquet", b"PAR1 not", "truth.parquet: "),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error_with_a_fix(
    run: Run, project: Project, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    done = run("labels", "import", str(tmp_path / name))
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert "fix: " in done.err
    assert run("labels", "import", str(tmp_path / "absent.csv")).code == 2


def test_without_pyarrow_parquet_says_what_to_install(
    run: Run, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "truth.parquet").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    done = run("labels", "import", str(tmp_path / "truth.parquet"))
    assert done.code == 2
    assert "pip install pyarrow" in done.err


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_an_export_holds_the_newest_labels_and_can_be_imported(
    run: Run, project: Project, rows: list[str], tmp_path: Path, suffix: str
) -> None:
    with Ledger.open(project.ledger_url) as ledger:
        ledger.labels.add_many([Label(row, 1) for row in reversed(rows[:3])])
        ledger.labels.add_many([Label(rows[1], 0)])
    file = tmp_path / f"out{suffix}"
    assert run("labels", "export", str(file), "--json").json()["rows"] == 3
    found = read(file)
    assert [row["id"] for row in found] == rows[:3]
    assert [row["label"] for row in found] == ["sandal", "boot", "sandal"]
    assert {row["predicted"] for row in found} == {"sandal"}
    assert [int(row["revision"]) for row in found] == [1, 2, 1]
    assert [path.name for path in tmp_path.glob(".out*")] == []
    again = run("labels", "import", str(file), "--json").json()
    assert (again["unchanged"], again["stored"]) == (3, True)


def read(file: Path) -> list[dict[str, Any]]:
    if file.suffix == ".parquet":
        found: list[dict[str, Any]] = pyarrow.parquet.read_table(file).to_pylist()
        return found
    with file.open(newline="") as opened:
        return [json.loads(line) for line in opened] if file.suffix == ".jsonl" else list(csv.DictReader(opened))


def test_an_export_that_cannot_be_written_says_so(run: Run, project: Project, rows: list[str], tmp_path: Path) -> None:
    done = run("labels", "export", str(tmp_path / "no" / "such" / "out.csv"))
    assert done.code == 2
    assert "cannot be written" in done.err
    assert run("labels", "export", str(tmp_path / "out.doc")).code == 2


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), max_size=12))
def test_a_rehearsal_is_always_what_then_happens(project: Project, digest: str, lines: list[tuple[int, int]]) -> None:
    rows = predict(project, digest, 3)
    with Ledger.open(project.ledger_url) as ledger, Staging() as staging:
        ledger.labels.add_many([Label(rows[0], 1)])
        entries = [Entry(line, rows[place], label) for line, (place, label) in enumerate(lines, 1)]
        meanings = Meanings(BundleStore(project.bundle_url))
        findings = check(entries, ledger, meanings, staging, lambda _: None)
        assert (findings.lines, findings.bad) == (len(lines), 0)
        rehearsed = rehearse(staging, ledger)
        assert store(staging, ledger, "test", lambda _: None) == rehearsed
        assert store(staging, ledger, "test", lambda _: None).accepted == 0
        last = dict(lines)
        assert ledger.labels.latest(rows) == {rows[0]: 1} | {rows[place]: label for place, label in last.items()}


@pytest.fixture
def digest(seal: Seal) -> str:
    """One bundle for all examples of a property."""
    return seal(1.0)


def test_a_killed_import_is_simply_run_again(
    run: Run, project: Project, rows: list[str], tmp_path: Path, seal: Seal
) -> None:
    many = predict(project, seal(1.0), 30_000)
    file = write(tmp_path / "truth.csv", ("id", "label"), [(row, "boot") for row in many])
    command = [sys.executable, "-c", "from cli.main import main; main()", "labels", "import", str(file)]
    child = subprocess.Popen(command, cwd=project.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with Ledger.open(project.ledger_url) as ledger:
        while child.poll() is None and not ledger.labels.after("shoes", 0, 1):
            pass
        child.send_signal(signal.SIGKILL)
        child.wait()
        before = len(ledger.labels.after("shoes", 0, 40_000))
    assert before % 2000 == 0
    told = run("labels", "import", str(file), "--json").json()
    assert (told["accepted"], told["unchanged"], told["corrected"]) == (30_000 - before, before, 0)
    with Ledger.open(project.ledger_url) as ledger:
        seen = [row.row_id for row in ledger.labels.after("shoes", 0, 40_000)]
    assert sorted(seen) == sorted(many)


def test_staged_labels_come_in_order_of_time_and_know_what_the_file_said_before() -> None:
    with Staging() as staging:
        staging.add([(1, "a", 0, 0.0), (2, "a", 1, 0.0), (3, "b", 1, -1.0)])
        assert [[tuple(row) for row in batch] for batch in staging.batches(2)] == [
            [("b", 1, None, -1.0), ("a", 0, None, 0.0)],
            [("a", 1, 0, 0.0)],
        ]


def test_clicks_are_imported_with_their_times_and_counted_when_late(
    run: Run, project: Project, seal: Seal, tmp_path: Path
) -> None:
    digest = seal(1.0)
    assert run("promote", digest).code == 0
    one, two = predict(project, digest, 2, horizon_seconds=3600.0)
    with Ledger.open(project.ledger_url) as ledger:
        now = ledger.clock()
    lines = [(one, "boot", now), (one, "sandal", now - 5), (one, "boot", now), (two, "boot", now + 4000)]
    file = write(tmp_path / "clicks.csv", ("id", "label", "at"), lines)
    command = ("labels", "import", str(file), "--time-column", "at", "--json")
    for dry in (("--dry-run",), ()):
        found = run(*command, *dry).json()
        assert (found["accepted"], found["unchanged"], found["corrected"], found["late"]) == (2, 1, 0, 1)
    again = run(*command).json()
    assert (again["accepted"], again["unchanged"], again.get("late")) == (0, 4, None)
    assert stored(project) == {}
    with Ledger.open(project.ledger_url, clock=lambda: now + 9999) as ledger:
        assert ledger.horizons.settle("shoes") == 2
    assert stored(project) == {one: 1, two: -1}
    truth = write(tmp_path / "truth.csv", ("id", "label"), [(two, "sandal")])
    assert run("labels", "import", str(truth), "--final", "--json").json()["corrected"] == 1
    assert stored(project) == {one: 1, two: 1}
