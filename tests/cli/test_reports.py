"""Reports of a real search, of real bundles and of real jobs; one is opened in a real browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.demo.gauges import Reading
from cli.demo.report import write_report
from cli.demo.timeline import Event
from cli.demo.traffic import Answer
from cli.reports.candidate_figures import candidate_picture
from cli.reports.evaluation_report import evaluation_page
from cli.reports.page import Page
from cli.reports.parallel import parallel_coordinates
from cli.reports.search_course import best_over_time, rung_rows
from cli.reports.study_report import study_page
from cli.reports.theme import figure
from evertune.bundle import BundleStore
from evertune.evaluation import evaluate, reliability
from evertune.ledger import RowLoss
from evertune.settings import Project
from tune import load_study
from tune.journal import Journal, read_entries
from tune.record import TrialRecord
from tune.standing import Standing
from tune.study import JOURNAL

Run = Callable[..., Any]
Seal = Callable[[float], str]
EVIL = "</script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
_ERRORS = {"failed": f"Traceback:\n  boom {EVIL}\nValueError: {EVIL}", "rejected": "not trained: too big"}
_SPACE = [
    {"class_name": "Choice", "config": {"name": "family", "values": ["cnn", EVIL], "conditions": []}},
    {
        "class_name": "Float",
        "config": {"name": "rate", "min_value": 1e-4, "max_value": 1.0, "sampling": "log", "conditions": []},
    },
    {"class_name": "Int", "config": {"name": "units", "min_value": 1, "max_value": 99, "conditions": []}},
]


class _Structure(HTMLParser):
    """What a browser would load, run and show."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def structure(text: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = _Structure()
    parser.feed(text)
    return parser.tags


@dataclass(frozen=True)
class Spec:
    """How a made-up study looks."""

    completed: int = 12
    rejected: int = 1
    failed: int = 1
    pruned: int = 3


def write_study(folder: Path, spec: Spec = Spec()) -> Path:
    """A journal as a search writes it, through the search's own journal and records."""
    journal, random = Journal(folder / JOURNAL), np.random.default_rng(0)
    plan = {
        **{"reference": "task.py:T", "root": str(folder), "folder": str(folder), "max_epochs": 3, "seed": 0},
        **{"backend": "torch", "limits": {}, "export": {}, "warm_weights": None},
    }
    journal.append("study", format_version=1, plan=plan, fingerprint={"task": EVIL})
    journal.append("space", hyperparameters=_SPACE)
    states = ["completed"] * spec.completed + ["pruned"] * spec.pruned
    states += ["rejected"] * spec.rejected + ["failed"] * spec.failed
    for number, state in enumerate(states):
        rate = float(10 ** random.uniform(-4, 0))
        values = {"family": ["cnn", EVIL][number % 2], "rate": rate, **({"units": number} if number % 3 else {})}
        epochs = {"completed": 3, "pruned": 1}.get(state, 0)
        for epoch in range(1, epochs + 1):
            journal.append("epoch", trial_id=str(number), epoch=epoch, metric=0.5 + rate / 4 + epoch / 100)
        reached = 0.5 + rate / 4 + epochs / 100 if epochs else None
        record = TrialRecord(
            str(number),
            values,
            state,  # type: ignore[arg-type]  # one of the literals
            score=reached if state == "completed" else None,
            rung_metric=reached,
            latency_seconds=1e-5 * (number + 1),
            size_bytes=1000 * (number + 1),
            recipe="fp32",
            epochs=epochs,
            error=_ERRORS.get(state),
        )
        journal.append("ended", record=record.to_json())
    journal.close()
    return folder


def test_a_study_report_holds_everything_in_one_file(run: Run, project: Project) -> None:
    write_study(project.studies / "main")
    done = run("report", "study", "--json")
    assert done.code == 0
    path = Path(done.json()["file"])
    assert path == project.runs / "study-main.html"
    text = path.read_text(encoding="utf-8")
    titles = re.findall(r"<h2 id=[^>]*>([^<]*)</h2>", text)
    assert titles == [
        *("Best trials", "Learning curves", "Importances", "Parallel coordinates", "Course of the search"),
        *("Stopped early", "Over a limit", "Failed"),
    ]
    assert "not trained: too big" in text
    tags = structure(text)
    assert not [tag for tag in tags if tag[0] in ("link", "img", "iframe") or tag[1].get("src")]
    assert text.count("plotly.js v") == 1
    assert len([tag for tag in tags if "plotly-graph-div" in (tag[1].get("class") or "")]) == 5
    assert run("report", "study", "--json").json()["file"] == str(path)
    assert path.read_text(encoding="utf-8") == text


def test_what_users_name_is_never_code(tmp_path: Path) -> None:
    text = study_page(load_study(write_study(tmp_path / EVIL.replace("/", "-")))).to_html()
    tags = structure(text)
    assert [tag for tag in tags if tag[0] == "img"] == []
    assert all(not attributes.get("src") for name, attributes in tags if name == "script")
    assert "<script>document.title" not in text
    assert 'onerror="document' not in text


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed (apt-get install chromium)")
def test_a_browser_draws_every_plot_and_runs_no_foreign_code(run: Run, project: Project, tmp_path: Path) -> None:
    write_study(project.studies / "main")
    path = Path(run("report", "study", "--json").json()["file"])
    dom = browse(path, tmp_path / "profile")
    plots = re.split(r'<div id="plot-\d+"', dom)[1:]
    assert len(plots) == 5
    for plot in plots:
        assert 'class="main-svg"' in plot
    assert plots[0].count('class="point"') >= 12
    assert plots[1].count('class="trace scatter') == 15
    assert plots[2].count('class="point"') == 2  # family and rate; units is absent from some trials
    assert plots[3].count('class="axis-title"') >= 4
    assert plots[4].count('class="point"') >= 12
    assert "<title>Study main</title>" in dom


def browse(path: Path, profile: Path) -> str:
    """The document after a browser has run it, without a network."""
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    flags += ["--disable-component-update", "--disable-sync", f"--user-data-dir={profile}", "--window-size=1100,3000"]
    flags += ["--virtual-time-budget=10000", "--host-resolver-rules=MAP * ~NOTFOUND", "--dump-dom", path.as_uri()]
    done = subprocess.run(["chromium", *flags], capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def test_too_few_trials_have_no_importances_and_say_so(tmp_path: Path) -> None:
    study = load_study(write_study(tmp_path / "small", Spec(2, 0, 0, 1)))
    text = study_page(study).to_html()
    assert "Not shown: 3 trials can be compared, and 10 are the fewest to say something from." in text
    assert "Over a limit" not in text


def test_a_study_without_a_completed_trial_is_still_told(tmp_path: Path) -> None:
    text = study_page(load_study(write_study(tmp_path / "bad", Spec(0, 2, 3, 0)))).to_html()
    assert "No trial completed." in text
    assert text.count("the whole traceback") == 3


def test_the_course_of_a_search_tells_rungs_time_and_what_is_in_work(tmp_path: Path) -> None:
    now = [0.0]
    journal = Journal(tmp_path / JOURNAL, clock=lambda: now[0])
    plan = {"reference": "t.py:T", "root": ".", "folder": ".", "max_epochs": 4, "seed": 0, "backend": "torch"}
    journal.append("study", plan={**plan, "limits": {}, "export": {}, "warm_weights": None}, fingerprint={"task": "t"})
    journal.append("session", max_trials=9, workers=1)
    for trial_id, epochs, score in (("0", 4, 0.7), ("1", 1, None), ("2", 4, 0.6), ("3", 1, None), ("4", 4, 0.8)):
        journal.append("started", trial_id=trial_id, hyperparameters={}, origin="sampler")
        for epoch in range(1, epochs + 1):
            now[0] += 15.0
            journal.append("epoch", trial_id=trial_id, epoch=epoch, metric=0.5)
        state, costs = "completed" if score else "pruned", {"latency_seconds": 1e-5, "size_bytes": 1000}
        record = TrialRecord(trial_id, {}, state, score, epochs=epochs, **costs)  # type: ignore[arg-type]
        journal.append("ended", record=record.to_json())
    journal.append("started", trial_id="5", hyperparameters={"units": 77}, origin="sampler")
    journal.close()
    trials = Standing(read_entries(tmp_path / JOURNAL)[0]).trials
    assert rung_rows(list(trials.values())) == [("1", "5", "2", "3")]
    points, best = best_over_time([trials["4"], trials["0"], trials["2"]]).data
    assert list(points.x) == pytest.approx([1.0, 2.25, 3.5])
    assert list(best.y) == [0.7, 0.7, 0.8]
    text = study_page(load_study(tmp_path)).to_html()
    assert "3 completed, 2 pruned; 3 min 30 s of search; not finished when this page was written." in text
    assert "units=77" in text
    assert "Ships trial 4" in text


def test_parallel_axes_know_texts_logarithms_and_absence() -> None:
    rates = (1e-4, 1e-2, 1.0)
    records = [
        TrialRecord(str(i), {"rate": rate, "kind": "ab"[i % 2], **({"units": 5 * i} if i else {})}, "completed", 0.5)
        for i, rate in enumerate(rates)
    ]
    axes = {axis.label: axis for axis in parallel_coordinates(records).data[0].dimensions}
    assert list(axes["rate"]["values"]) == pytest.approx([0.0, 0.5, 1.0])
    assert list(axes["rate"].ticktext) == ["0.0001", "0.01", "1"]
    assert list(axes["kind"].ticktext) == ["a", "b"]
    assert list(axes["units"]["values"]) == pytest.approx([-0.15, 0.0, 1.0])
    assert axes["units"].ticktext[0] == "absent"


def attest(store: BundleStore, digest: str, attestation: Mapping[str, Any]) -> str:
    """The same content under another roof, with an attestation."""
    bundle = store.get(digest)
    other = BundleStore(f"{store.url}-attested")
    return other.put(bundle.content_path, attestation=attestation).digest


def test_an_evaluation_report_shows_what_is_attested_and_what_is_live(project: Project, seal: Seal) -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
    labels = ("boot", EVIL)
    found = evaluate("classification", labels, {"probabilities": probabilities}, np.array([0, 1, 1, 1]), seed=0)
    bins = [each.to_json() for each in reliability(np.array([0.9, 0.8, 0.6]), np.array([True, True, False]))]
    slices = {EVIL: {"rows": 2, "accuracy": found.accuracy.to_json()}}
    attestation = {"evaluation": found.to_json(), "reliability": bins, "slices": slices}
    digest = attest(BundleStore(project.bundle_url), seal(1.0), attestation)
    bundle = BundleStore(f"{project.bundle_url}-attested").get(digest)
    live = [RowLoss("shoes", digest, "r", row, 1.0, row, float(row % 4 == 0), 0.75) for row in range(100)]
    text = evaluation_page(bundle, live).to_html()
    titles = re.findall(r"<h2 id=[^>]*>([^<]*)</h2>", text)
    assert titles == ["Scores", "Confusion matrix", "Classes", "Calibration", "Slices"]
    assert "0.7500" in text
    assert "100 labelled live rows" in text
    assert [tag for tag in structure(text) if tag[0] == "img"] == []


def test_candidates_are_drawn_with_intervals_sizes_and_reasons() -> None:
    def candidate(recipe: str, accuracy: float | None, ratio: float, added: float | None, refused: str | None) -> Any:
        difference = None if added is None else {"lower": added - 0.01, "upper": added + 0.01, "level": 0.95}
        seconds = {} if accuracy is None else {"1": 0.002 * ratio}
        return {
            **{"recipe": recipe, "accuracy": accuracy, "difference": difference, "refused": refused},
            **{"latency_seconds": seconds, "latency_ratio": {"1": ratio}, "size_bytes": int(1000 * ratio)},
        }

    found = [
        candidate("fp32", 0.9, 1.0, None, "int8-a is smaller"),
        candidate("int8-a", 0.89, 0.5, 0.01, None),
        candidate("int8-b", 0.8, 0.6, 0.1, f"may cost 12% {EVIL}"),
        candidate("int8-c", None, 1.0, None, "cannot be made"),
    ]
    line, ships, others = candidate_picture(found, "int8-a").data
    assert list(line.x) == pytest.approx([1.0, 2.0])
    assert list(line.y) == pytest.approx([0.11, 0.1])
    assert (list(ships.text), list(others.text)) == (["int8-a"], ["fp32", "int8-b"])
    assert ships.marker.color != others.marker.color
    assert list(ships.error_y.array) == pytest.approx([0.01])
    assert list(others.error_y.array) == pytest.approx([0.0, 0.01])  # FP32 is what the others are compared with
    assert ships.marker.size[0] < others.marker.size[0]
    assert "does not ship: may cost 12%" in others.hovertext[1]
    assert "<script>" not in "".join(others.hovertext)
    assert candidate_picture([found[0], found[3]], "fp32") is None


def test_candidates_are_drawn_at_the_batch_that_decides() -> None:
    common = {"accuracy": 0.9, "difference": None, "refused": None, "size_bytes": 1000}
    found = [
        {"recipe": recipe, "latency_seconds": {"1": 0.001, "16": 0.004}, "latency_ratio": ratios, **common}
        for recipe, ratios in (("fp32", {"1": 1.0, "16": 1.0}), ("int8-a", {"1": 2.0, "16": 0.5}))
    ]
    picture = candidate_picture(found, "int8-a", 16)
    assert list(picture.data[0].x) == pytest.approx([2.0])
    assert picture.layout.xaxis.title.text == "latency of 16 rows, milliseconds"


def test_the_command_takes_the_champion_or_a_digest(run: Run, project: Project, seal: Seal, tmp_path: Path) -> None:
    digest = seal(1.0)
    assert run("report", "evaluation").code == 2
    run("promote", digest)
    assert digest[:12] in run("report", "evaluation", "--json").json()["file"]
    out = tmp_path / "some" / "where.html"
    assert run("report", "evaluation", digest[:10], "-o", str(out)).out.strip() == str(out)
    assert "No evaluation is attested for this bundle." in out.read_text()


def test_a_place_that_cannot_be_written_is_an_error(run: Run, project: Project, tmp_path: Path) -> None:
    write_study(project.studies / "main")
    (tmp_path / "file").write_text("")
    done = run("report", "study", "-o", str(tmp_path / "file" / "page.html"))
    assert done.code == 2
    assert "cannot be written" in done.err
    assert run("report", "study", "nothing").code == 8


def test_a_page_without_a_plot_is_small() -> None:
    page = Page("small")
    page.section("One & two")
    page.text("a < b")
    page.table(("x",), [])
    text = page.to_html()
    assert len(text) < 3000
    assert '<h2 id="one-two">One &amp; two</h2>' in text
    assert "<table>" not in text
    page.plot(figure(title="t"))
    assert len(page.to_html()) > 1_000_000


def test_the_demo_shares_the_page(tmp_path: Path) -> None:
    answers = [Answer(i, f"r{i}", "a" * 64, i % 2 == 0, 100.0 + i, 0.001) for i in range(10)]
    where = {"source": "labelled", "window": "since_promotion", "version": "v1"}
    names = ("evertune_accuracy_ratio", "evertune_accuracy_lower_bound_ratio", "evertune_accuracy_upper_bound_ratio")
    readings = [Reading(101.0 + i, tuple((name, where, 0.5) for name in names)) for i in range(3)]
    write_report(
        tmp_path / "report.html",
        summary={"verdict": "all held"},
        answers=answers,
        readings=readings,
        events=[Event(100.0, "start", EVIL)],
        marks={"swap": 105.0},
        confusion=[[3, 1], [0, 4]],
        labels=("boot", "sandal"),
        pictures={"Search": "pareto.png"},
    )
    text = (tmp_path / "report.html").read_text()
    assert text.count("plotly.js v") == 1
    assert [tag[1].get("src") for tag in structure(text) if tag[0] == "img"] == ["pareto.png"]
    assert json.dumps("all held")[1:-1] in text
