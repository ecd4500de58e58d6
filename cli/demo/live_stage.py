"""Serving, drift, re-tuning and swap, while the stream flows."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli.demo.gauges import Reading
from cli.demo.processes import Processes
from cli.demo.project import DemoProject
from cli.demo.recovery import FEWEST_ROWS
from cli.demo.timeline import Timeline
from cli.demo.traffic import Tally, Traffic
from cli.demo.watch import Watch
from evertune.ledger import Ledger, RetuneJob
from serve.command import bentoml_command

_BEFORE_PER_SECOND = 160.0
_DRIFTED_PER_SECOND = 80.0  # until the challenger's rows are fixed
_SEARCHING_PER_SECOND = 20.0  # while it is searched on the same two cores; enough for the gate's rows
_TRICKLE_PER_SECOND = 3.0  # when the stream runs short before the swap: traffic goes on, but rows are kept for after
_AFTER_PER_SECOND = 120.0
_RESERVE_ROWS = FEWEST_ROWS + 150
_START_SECONDS = 60.0
_SWAP_SECONDS = 240.0
_JOB_SECONDS = 60.0


@dataclass(frozen=True)
class LiveResult:
    """What the live part left behind.

    Attributes:
        onset_at: Seconds since the epoch of the camera swap.
        swapped_at: Of the first answer of the promoted bundle; None where there was none.
    """

    tally: Tally
    readings: list[Reading]
    job: RetuneJob | None
    onset_at: float
    swapped_at: float | None


def start_services(demo: DemoProject, processes: Processes, timeline: Timeline) -> None:
    """Starts server, exporter and re-tune worker as real processes, and waits until the server is ready."""
    command, environment = bentoml_command(demo.project)
    evertune = [str(Path(sys.executable).with_name("evertune"))]
    processes.start("serve", command, environment)
    processes.start("monitor", [*evertune, "monitor"])
    processes.start("retune", [*evertune, "retune"])
    processes.wait_for("serve", lambda: _answers(f"{demo.server_url}/v2/health/ready"), timeout_seconds=_START_SECONDS)
    processes.wait_for("monitor", lambda: _answers(demo.metrics_url), timeout_seconds=_START_SECONDS)
    timeline.mark("bentoml serve is ready", demo.server_url)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def run_live(
    demo: DemoProject,
    ledger: Ledger,
    model: str,
    traffic: Traffic,
    *,
    rows: int,
    onset_index: int,
    processes: Processes,
    timeline: Timeline,
    console: Console,
) -> LiveResult:
    """Sends the whole stream and follows the loop until the report of the re-tune job is in."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("stream", total=rows)
        watch = Watch(model, ledger, processes, traffic, timeline, progress, bar, demo.metrics_url)
        traffic.rate_per_second, traffic.stop_at = _BEFORE_PER_SECOND, onset_index
        traffic.start()
        watch.until(lambda: len(traffic.tally.answers) >= onset_index, timeout_seconds=_SWAP_SECONDS)
        onset_at = time.time()
        timeline.mark("the camera is swapped", f"row {onset_index}: contrast inverted, picture shifted")
        swapped_at = _await_swap(watch, rows)
        traffic.rate_per_second, traffic.stop_at = _AFTER_PER_SECOND, rows
        watch.until(lambda: traffic.tally.sent >= rows, timeout_seconds=_SWAP_SECONDS)
        watch.until(lambda: watch.job is not None and watch.job.status != "running", timeout_seconds=_JOB_SECONDS)
        traffic.finish()
    return LiveResult(traffic.tally, watch.readings, watch.job, onset_at, swapped_at)


def _await_swap(watch: Watch, rows: int) -> float | None:
    """Drifted traffic until another bundle answers, or the job ends otherwise, or patience does."""
    traffic = watch.traffic
    if not traffic.tally.answers:
        return None  # every request failed: the verdict says so
    champion = traffic.tally.answers[-1].digest
    traffic.rate_per_second, traffic.stop_at = _DRIFTED_PER_SECOND, rows - FEWEST_ROWS - 50

    def swapped_or_over() -> bool:
        if watch.job is not None and watch.job.phase not in ("", "train_rows"):
            traffic.rate_per_second = _SEARCHING_PER_SECOND
        if traffic.tally.sent >= rows - _RESERVE_ROWS:
            traffic.rate_per_second = _TRICKLE_PER_SECOND
        over = watch.job is not None and watch.job.status in ("rejected", "insufficient", "failed")
        return over or traffic.tally.answers[-1].digest != champion

    watch.until(swapped_or_over, timeout_seconds=_SWAP_SECONDS)
    first = next((answer for answer in traffic.tally.answers if answer.digest != champion), None)
    if first is not None:
        watch.timeline.mark(
            "hot swap", f"row {first.index} is the first that {first.digest[:12]} answers", at=first.answered_at
        )
    return None if first is None else first.answered_at
