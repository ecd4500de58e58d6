"""`evertune demo`: search, export, serve, drift, re-tune, swap, recovery; then a verdict."""

from __future__ import annotations

import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from cli.demo.camera import swap_camera
from cli.demo.live_stage import LiveResult, run_live, start_services
from cli.demo.processes import Processes
from cli.demo.project import DemoProject, create_demo_project
from cli.demo.recovery import describe, problems_of, split_recovery
from cli.demo.report import write_report
from cli.demo.search_stage import SearchResult, run_search
from cli.demo.timeline import Timeline
from cli.demo.traffic import Traffic
from evertune.clock import system_clock
from evertune.ledger import Ledger, RetuneJob
from evertune.tensors import Array
from examples.fashion_mnist.data import stream_rows
from examples.fashion_mnist.task import FashionMnist
from retune.recovery import Recovery

_TRIALS = 16
_EPOCHS = 4
_LABEL_SHARE_RATIO = 0.6
_LABEL_DELAY_SECONDS = (1.0, 4.0)


@dataclass(frozen=True)
class Stream:
    """What the client sends: half from the old camera, half from the new."""

    images: Array
    truth: list[str]
    onset_index: int


def main(*, seed: int, output: Path) -> int:
    """Runs the demo.

    Args:
        seed: Of search, stream order and labels.
        output: Folder for the demo's project, logs and report; a new one is made in it.

    Returns:
        0, or 1 where the loop did not hold what it promises.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the children are ended, too
    console = Console()
    timeline = Timeline(console, system_clock)
    folder = output / f"demo-{time.strftime('%Y%m%d-%H%M%S')}-seed{seed}"
    demo = create_demo_project(folder, seed=seed, trials=_TRIALS, epochs=_EPOCHS)
    stream = _stream(seed)
    with Processes(folder / "logs", folder) as processes:
        found = run_search(demo.project, console, timeline)
        live = _live(demo, stream, processes, timeline, console, seed)
    left_behind = processes.left_behind()
    return _conclude(demo, stream, found, live, left_behind, timeline, console)


def _stream(seed: int) -> Stream:
    import numpy as np

    rows = stream_rows()
    rows = rows.take(np.random.default_rng(seed).permutation(len(rows)))
    images, onset = rows.inputs["image"].copy(), len(rows) // 2
    images[onset:] = swap_camera(images[onset:])
    return Stream(images, [FashionMnist.labels[index] for index in rows.labels], onset)


def _live(
    demo: DemoProject, stream: Stream, processes: Processes, timeline: Timeline, console: Console, seed: int
) -> LiveResult:
    console.rule("serve, watch, re-tune")
    start_services(demo, processes, timeline)
    traffic = Traffic(
        demo.server_url,
        demo.api_key,
        stream.images,
        stream.truth,
        label_share_ratio=_LABEL_SHARE_RATIO,
        label_delay_seconds=_LABEL_DELAY_SECONDS,
        seed=seed,
    )
    ledger = Ledger.open(demo.project.ledger_url)
    try:
        return run_live(
            demo,
            ledger,
            FashionMnist.name,
            traffic,
            rows=len(stream.truth),
            onset_index=stream.onset_index,
            processes=processes,
            timeline=timeline,
            console=console,
        )
    finally:
        ledger.close()


def _conclude(
    demo: DemoProject,
    stream: Stream,
    found: SearchResult,
    live: LiveResult,
    left_behind: list[str],
    timeline: Timeline,
    console: Console,
) -> int:
    ledger = Ledger.open(demo.project.ledger_url)
    try:
        recovery, figures = _figures(ledger, stream, found, live)
    finally:
        ledger.close()
    problems = _problems(recovery, found, live, left_behind)
    report = demo.project.root / "report.html"
    marks = {"camera swapped": live.onset_at}
    if live.swapped_at is not None:
        marks["hot swap"] = live.swapped_at
    write_report(
        report,
        summary={**figures, "verdict": "; ".join(problems) or "all held"},
        answers=live.tally.answers,
        readings=live.readings,
        events=timeline.events,
        marks=marks,
        confusion=found.confusion,
        labels=FashionMnist.labels,
        pictures={"Search: what would ship, by latency and error": found.picture.name},
    )
    timeline.mark("report", str(report))
    timeline.print_table()
    lines = [f"{name:<32} {value}" for name, value in figures.items()]
    verdict = f"[bold red]{escape(chr(10).join(problems))}[/]" if problems else "[bold green]The loop held.[/]"
    console.print(Panel("\n".join([*map(escape, lines), "", verdict]), title="Recovery"))
    console.print(
        f"Report: {report}\nServe the promoted model: cd {demo.project.root} && bentoml serve", soft_wrap=True
    )
    return 1 if problems else 0


def _figures(ledger: Ledger, stream: Stream, found: SearchResult, live: LiveResult) -> tuple[Recovery, dict[str, str]]:
    job = live.job
    promoted = job is not None and job.status == "promoted"
    learned: set[str] = set()
    if job is not None:
        learned = {*ledger.jobs.rows(job.id, "train"), *ledger.jobs.rows(job.id, "gate")}
    recovery = split_recovery(
        live.tally.answers,
        onset_index=stream.onset_index,
        challenger_digest=job.detail["challenger_digest"] if job is not None and promoted else None,
        learned_ids=learned,
    )
    alarm_at = _alarm_at(job)
    to_swap = None if alarm_at is None or live.swapped_at is None else live.swapped_at - alarm_at
    figures = {
        "accuracy before": describe(recovery.before),
        "accuracy during": describe(recovery.during),
        "accuracy after": describe(recovery.after),
        "recovered of what was lost": "none" if recovery.ratio is None else f"{recovery.ratio:.3f}",
        "labels from onset to alarm": str(_labels_to_alarm(ledger, stream, live, found.digest)),
        "seconds from alarm to swap": "no swap" if to_swap is None else f"{to_swap:.1f}",
        "requests sent": str(live.tally.sent),
        "requests failed": str(len(live.tally.failures)),
        "labels sent": str(live.tally.labels_sent),
        "gate": _describe_gate(job.detail if job is not None else {}),
    }
    return recovery, figures


def _alarm_at(job: RetuneJob | None) -> float | None:
    """When the label came that carried the evidence over its line."""
    alarm = None if job is None else job.detail.get("alarm")
    return None if alarm is None else float(alarm["arrived_at"])


def _labels_to_alarm(ledger: Ledger, stream: Stream, live: LiveResult, champion_digest: str) -> int | str:
    """Labels of drifted rows that the detector of the first champion read up to its alarm."""
    record = ledger.detectors.load(FashionMnist.name, champion_digest)
    if record is None or record.state.get("alarm_at") is None:
        return "no alarm"
    drifted = {answer.row_id for answer in live.tally.answers if answer.index >= stream.onset_index}
    read = [row for row in ledger.labels.after(FashionMnist.name, 0, 100_000) if row.digest == champion_digest]
    return sum(row.row_id in drifted for row in read[: int(record.state["alarm_at"])])


def _describe_gate(detail: dict[str, object]) -> str:
    gate = detail.get("gate")
    if not isinstance(gate, dict):
        return "no gate"
    return (
        f"{gate['outcome']}: p = {gate['p_value']:.2g} on {gate['rows']} newer rows, "
        f"loss difference {gate['difference']:+.3f}, error rate {gate['error_rate']:.3g}"
    )


def _problems(recovery: Recovery, found: SearchResult, live: LiveResult, left_behind: list[str]) -> list[str]:
    problems = problems_of(recovery)
    if live.tally.failures:
        problems.append(f"{len(live.tally.failures)} requests failed, the first: {live.tally.failures[0]}")
    if not any(recipe.startswith("int8") for recipe in found.recipes_tried):
        problems.append("INT8 was not tried on the winner")
    if live.job is None or live.job.status != "promoted":
        problems.append(f"no challenger was promoted: {'no job' if live.job is None else live.job.status}")
    problems += [f"left behind: {command}" for command in left_behind]
    return problems
