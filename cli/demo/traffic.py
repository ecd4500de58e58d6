"""The demo's client: one request a row with an API key; labels follow later, and only some."""

from __future__ import annotations

import asyncio
import heapq
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np

from evertune.tensors import Array

_IN_FLIGHT = 16  # requests at once, at most
_LABEL_ROUND_SECONDS = 0.25


@dataclass(frozen=True)
class Answer:
    """One answered request.

    Attributes:
        index: Of the row in the stream.
        row_id: Under which its label arrives.
        digest: Of the bundle that answered.
        correct: Whether the predicted class is the true one.
        answered_at: Seconds since the epoch.
        latency_seconds: As the client saw it.
    """

    index: int
    row_id: str
    digest: str
    correct: bool
    answered_at: float
    latency_seconds: float


@dataclass
class Tally:
    """What the client saw. Appended to by the client's thread only."""

    answers: list[Answer] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    labels_sent: int = 0
    sent: int = 0


class Traffic:
    """Sends a stream of images from a thread of its own, at a rate that may be changed while it runs.

    Args:
        url: Of the server.
        key: API key with the roles predict and label.
        images: uint8, shape (rows, height, width), in the order of sending.
        truth: Class names, one a row.
        label_share_ratio: Probability that a row is ever labelled.
        label_delay_seconds: Shortest and longest wait before a label is sent.
        seed: Of who is labelled, and when.
    """

    def __init__(
        self,
        url: str,
        key: str,
        images: Array,
        truth: Sequence[str],
        *,
        label_share_ratio: float,
        label_delay_seconds: tuple[float, float],
        seed: int,
    ) -> None:
        self.tally = Tally()
        self.rate_per_second = 1.0
        self.stop_at = 0  # rows before this index may be sent
        self._url, self._key = url, key
        self._images, self._truth = images, truth
        random = np.random.default_rng(seed)
        self._labelled = random.random(len(truth)) < label_share_ratio
        self._delays = random.uniform(*label_delay_seconds, size=len(truth))
        self._due: list[tuple[float, int, str]] = []
        self._ending = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="demo-traffic", daemon=True)

    def start(self) -> None:
        """Starts sending."""
        self._thread.start()

    def finish(self) -> None:
        """Waits for what is in flight, sends the labels still due, and ends the thread."""
        self._ending.set()
        self._thread.join()

    @property
    def alive(self) -> bool:
        """Whether the client's thread still runs."""
        return self._thread.is_alive()

    async def _run(self) -> None:
        headers = {"Authorization": f"Bearer {self._key}"}
        limits = httpx.Limits(max_connections=_IN_FLIGHT + 1)
        async with httpx.AsyncClient(base_url=self._url, headers=headers, limits=limits, timeout=30) as client:
            labeller = asyncio.create_task(self._label(client))
            await self._send_all(client)
            await labeller

    async def _send_all(self, client: httpx.AsyncClient) -> None:
        free = asyncio.Semaphore(_IN_FLIGHT)
        pending: set[asyncio.Task[None]] = set()
        next_at = time.monotonic()
        while not self._ending.is_set():
            if self.tally.sent >= min(self.stop_at, len(self._truth)):
                await asyncio.sleep(0.02)
                next_at = time.monotonic()
                continue
            await asyncio.sleep(max(0.0, next_at - time.monotonic()))
            next_at = max(next_at + 1 / self.rate_per_second, time.monotonic() - 0.1)  # never catch up in a burst
            await free.acquire()
            task = asyncio.create_task(self._predict(client, self.tally.sent, free))
            self.tally.sent += 1
            pending.add(task)
            task.add_done_callback(pending.discard)
        await asyncio.gather(*pending)

    async def _predict(self, client: httpx.AsyncClient, index: int, free: asyncio.Semaphore) -> None:
        started = time.monotonic()
        try:
            response = await client.post("/predict", json={"inputs": {"image": [self._images[index].tolist()]}})
            response.raise_for_status()
            self._note(index, response.json(), time.monotonic() - started)
        except Exception as error:  # whatever goes wrong, the demo must count it and go on
            self.tally.failures.append(f"row {index}: {error!r}")
        finally:
            free.release()

    def _note(self, index: int, body: dict[str, Any], seconds: float) -> None:
        prediction, now = body["predictions"][0], time.time()
        correct = prediction["label"] == self._truth[index]
        self.tally.answers.append(Answer(index, prediction["id"], body["digest"], correct, now, seconds))
        if self._labelled[index]:
            heapq.heappush(self._due, (now + self._delays[index], index, prediction["id"]))

    async def _label(self, client: httpx.AsyncClient) -> None:
        while self._due or not self._ending.is_set():
            labels = []
            while self._due and (self._due[0][0] <= time.time() or self._ending.is_set()):
                _, index, row_id = heapq.heappop(self._due)
                labels.append({"id": row_id, "label": self._truth[index]})
            if labels:
                await self._post_labels(client, labels)
            await asyncio.sleep(_LABEL_ROUND_SECONDS)

    async def _post_labels(self, client: httpx.AsyncClient, labels: list[dict[str, str]]) -> None:
        try:
            (await client.post("/labels", json={"labels": labels})).raise_for_status()
            self.tally.labels_sent += len(labels)
        except httpx.HTTPError as error:
            self.tally.failures.append(f"{len(labels)} labels: {error!r}")
