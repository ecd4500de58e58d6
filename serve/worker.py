"""Everything that one server worker holds, and the order in which it starts and stops."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import signal
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from evertune.bundle import Bundle, BundleStore
from evertune.keys import Keyring
from evertune.kinds import kind_of
from evertune.ledger import Ledger
from evertune.settings import Project
from serve.door import Door
from serve.drain_process import DrainProcess
from serve.fleet import Fleet
from serve.label_desk import Encode, LabelDesk
from serve.loading import Loader
from serve.metrics import Metrics
from serve.recorder import Recorder
from serve.spool import Spool

_TICK_SECONDS = 0.2  # of gauges, of handing over counters, of looking for the supervisor
# Requests leave no cycles behind, but those in flight hold more than Python's default of 700 new objects, so that it
# looked through them again and again and found nothing.
_GC_THRESHOLD = 20_000
_PREPROCESSING_THREADS = 2  # that decode images; each may hold one decoded file of the largest size
_log = logging.getLogger("evertune.serve")


class Worker:
    """The parts of a running worker. Build it on the event loop that serves.

    Args:
        project: Settings and places.
        ledger: Open; closed by `stop`.
        metrics: Of this worker.
    """

    def __init__(self, project: Project, ledger: Ledger, metrics: Metrics) -> None:
        serve = project.settings.serve
        self.settings = serve
        self._horizon_seconds = project.settings.labels.horizon_seconds
        self.metrics = metrics
        self.door = Door(Keyring(project.keys_path) if serve.require_keys else None)
        self._ledger = ledger
        self._store = BundleStore.of(project)
        self._encoders: dict[str, Encode] = {}
        self._spool = Spool(project.spool, limit_bytes=serve.max_spool_bytes)
        self._drain = DrainProcess(project.root, self._spool, rotate_seconds=serve.spool_drain_seconds)
        self.preprocessing = ThreadPoolExecutor(_PREPROCESSING_THREADS, "preprocessing")
        self._executor = ThreadPoolExecutor(1, "model")  # one batch at a time; ONNX Runtime has threads of its own
        loader = Loader(self._store, project.settings, self._recorder, self._executor)
        self.fleet = Fleet(ledger.registry, loader.load, self._on_swap, names=serve.models, default=serve.default_model)
        self.labels = LabelDesk(ledger, self._encoder_of, self._drain.flush)
        self._tasks: list[asyncio.Task[None]] = []
        self._parent = os.getppid()

    @classmethod
    async def start(cls, project: Project, metrics: Metrics) -> Worker:
        """Opens the ledger, starts the drainer, and loads the champions that there are."""
        ledger = await asyncio.to_thread(Ledger.open, project.ledger_url)
        worker = cls(project, ledger, metrics)
        await worker.fleet.refresh()
        if not worker.fleet.live:
            _log.warning("no champion yet: live, not ready")
        worker._tick()
        # Half a million objects of imported modules live for ever; looking through them at each full collection took
        # a sixth of the time of a loaded worker.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_GC_THRESHOLD)
        worker._tasks = [
            asyncio.create_task(worker.fleet.follow(worker.settings.registry_poll_seconds)),
            asyncio.create_task(worker._keep_ticking()),
        ]
        return worker

    async def stop(self) -> None:
        """Called when the last request is answered: nothing that was acknowledged is left in memory."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.labels.close()
        await self._drain.stop()
        self._tick()
        self._executor.shutdown()
        self.preprocessing.shutdown()
        self._ledger.close()

    def _recorder(self, bundle: Bundle) -> Recorder:
        return Recorder(
            bundle,
            self._spool.append,
            self.metrics.predicted,
            self.metrics.dropped,
            clock=self._ledger.clock,
            draw=random.random,
            payload_share_ratio=self.settings.payload_share_ratio,
            label_horizon_seconds=self._horizon_seconds,
        )

    def _on_swap(self, model: str, version: str, outcome: str) -> None:
        self.metrics.serving(model)
        self.metrics.swaps.labels(model, outcome).inc()

    def _encoder_of(self, model: str, digest: str) -> Encode:
        encode = self._encoders.get(digest)
        if encode is None:
            live = self.fleet.live.get(model)
            manifest = (live.bundle if live and live.digest == digest else self._store.get(digest)).manifest
            encode = partial(kind_of(manifest.kind).encode_label, labels=manifest.labels)
            self._encoders[digest] = encode
        return encode

    async def _keep_ticking(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            self._tick()
            if os.getppid() != self._parent:  # the supervisor was killed and cannot stop us any more
                _log.error("the supervisor is gone; stopping")
                signal.raise_signal(signal.SIGTERM)
                return

    def _tick(self) -> None:
        self.metrics.spool_bytes.set(self._spool.waiting_bytes)
        self.metrics.queue_rows.set(sum(live.batcher.queued_rows for live in self.fleet.live.values()))
        self.metrics.ready.set(self.fleet.is_ready)
        self.metrics.flush()
