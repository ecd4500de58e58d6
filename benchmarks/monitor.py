"""Evaluator and exporter: how fast, how cheap a scrape, and whether a kill leaves a trace."""

from __future__ import annotations

import multiprocessing
import os
import signal
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._harness import Benchmark, Options, Outcome

_MODEL = "monitored"
_CHUNK = 10_000


def _run(options: Options) -> Outcome:
    rows = 100_000
    evaluated, kills = (20_000, 5) if options.quick else (rows, 25)
    with tempfile.TemporaryDirectory() as folder:
        world = _World(Path(folder), np.random.default_rng(options.seed))
        world.fill(rows, evaluated)
        identical = world.evaluate_under_kills(kills, evaluated)
        figures = {
            "evaluator_rows_per_second": world.replay_rows_per_second,
            "kill_replay_identical": float(identical),
            "kills": float(kills),
            **world.scrape_seconds(30),
        }
    return Outcome(
        figures,
        {
            "evaluator_rows_per_second": (">=", 2000.0),
            "kill_replay_identical": (">=", 1.0),
            "scrape_seconds_median": ("<=", 0.1),
        },
        {"predictions": rows, "labels": evaluated, "rows_per_request": 1, "classes": 10},
    )


class _World:
    """A ledger on disk with one champion."""

    def __init__(self, folder: Path, random: np.random.Generator) -> None:
        from evertune.bundle import BundleStore
        from evertune.ledger import Ledger

        self._random = random
        self.ledger = Ledger.open(f"sqlite:///{folder / 'ledger.db'}")
        self.store = BundleStore(str(folder / "bundles"))
        self.digest = _seal(self.store, folder)
        self.replay_rows_per_second = 0.0
        self.ledger.registry.promote(_MODEL, self.digest, reason="benchmark", actor="benchmark")

    def fill(self, rows: int, labelled: int) -> None:
        """One request a row, spread over six days; the newest rows are labelled."""
        from evertune.ids import new_request_id, row_id
        from evertune.ledger import Label, Prediction

        start, step = time.time() - 6 * 86_400, 6 * 86_400 / rows
        for first in range(0, rows, _CHUNK):
            batch, labels = [], []
            for place in range(first, min(rows, first + _CHUNK)):
                probabilities = self._random.dirichlet(np.ones(10) * 0.1).astype(np.float32)[None]
                at = start + place * step
                prediction = Prediction(
                    new_request_id(at),
                    _MODEL,
                    self.digest,
                    at,
                    {"probabilities": probabilities},
                    probabilities.max(axis=1),
                )
                batch.append(prediction)
                if place >= rows - labelled:
                    wrong = self._random.random() < 0.1
                    labels.append(Label(row_id(prediction.request_id, 0), int(probabilities.argmax() + wrong) % 10))
            self.ledger.predictions.add_many(batch)
            self.ledger.labels.add_many(labels)

    def evaluate_under_kills(self, kills: int, labels: int) -> bool:
        """Kills evaluators at random moments until all labels are taken, then replays from nothing."""
        for kill in range(kills):
            child = multiprocessing.get_context("fork").Process(target=self._evaluate_forever)
            child.start()
            while self._eaten() < labels * (kill + 1) // (kills + 2) and child.is_alive():
                time.sleep(0.001 * self._random.random())
            assert child.pid is not None
            os.kill(child.pid, signal.SIGKILL)
            child.join()
        self._step()
        survived = self._stored()
        self._forget()
        started = time.perf_counter()
        self._step()
        self.replay_rows_per_second = labels / (time.perf_counter() - started)
        return self._eaten() == labels and survived == self._stored()

    def scrape_seconds(self, times: int) -> dict[str, float]:
        """Over HTTP, as Prometheus would."""
        import httpx

        from evertune.settings import MonitorSettings
        from monitoring.exporter import Exporter

        with Exporter(self.ledger, self.store, MonitorSettings(port=0)) as exporter:
            url = f"http://127.0.0.1:{exporter.port}/metrics"
            found = []
            for _ in range(times + 1):
                started = time.perf_counter()
                response = httpx.get(url)
                found.append(time.perf_counter() - started)
            series = sum(not line.startswith("#") for line in response.text.splitlines())
        return {
            "scrape_seconds_median": statistics.median(found[1:]),
            "scrape_seconds_max": max(found[1:]),
            "scrape_series": float(series),
        }

    def _evaluate_forever(self) -> None:
        while True:
            self._step()

    def _step(self) -> None:
        from evertune.settings import MonitorSettings
        from monitoring.evaluator import Evaluator

        Evaluator(self.ledger, self.store, MonitorSettings()).step()

    def _eaten(self) -> int:
        from sqlalchemy import func, select

        from evertune.ledger.schema import row_losses

        with self.ledger.engine.connect() as connection:
            return int(connection.scalar(select(func.count()).select_from(row_losses)) or 0)

    def _stored(self) -> Any:
        record = self.ledger.detectors.load(_MODEL, self.digest)
        assert record is not None
        return record.state, record.last_sequence, self.ledger.losses.since(_MODEL, self.digest)

    def _forget(self) -> None:
        from sqlalchemy import delete

        from evertune.ledger.schema import detectors, row_losses

        with self.ledger.engine.begin() as connection:
            connection.execute(delete(detectors))
            connection.execute(delete(row_losses))


def _seal(store: Any, folder: Path) -> str:
    """A bundle that is never run: monitoring reads its reference and its confidence map alone."""
    from evertune.bundle import ConfidenceMap, Golden, Reference, write_content
    from evertune.tensors import Signature, TensorSpec

    one = np.zeros((1, 1), np.float32)
    write_content(
        folder / "content",
        model_bytes=b"never loaded",
        model=_MODEL,
        kind="classification",
        labels=tuple("0123456789"),
        signature=Signature((TensorSpec("x", "float32", (1,)),), (TensorSpec("probabilities", "float32", (10,)),)),
        preprocessing={},
        recipe="fp32",
        calibration=ConfidenceMap((0.0, 1.0), (0.0, 1.0), rows=1000),
        reference=Reference(0.1, 0.12, 1000, 0.9),
        golden=Golden({"x": one}, {"probabilities": np.repeat(one, 10, axis=1)}, 1e-4),
    )
    return str(store.put(folder / "content", attestation={}).digest)


BENCHMARK = Benchmark(
    summary="evaluator rows/s, seconds a scrape with 100,000 predictions, state after kills against a replay",
    duration="about 1 minute on 2 cores; --quick: 30 seconds",
    run=_run,
)
