"""Which models this worker serves, kept in step with the registry."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from evertune.errors import EvertuneError, InputError, NotReadyError, UnknownModelError
from serve.live import Live

_log = logging.getLogger("evertune.serve")
_RETRY_SECONDS = (1.0, 5.0, 15.0, 60.0)  # a damaged bundle stays damaged, a store that was away comes back

HOW_TO_GET_A_CHAMPION = "Run `evertune tune`, then `evertune export --promote`."


class Champions(Protocol):
    """The part of the registry that a server reads."""

    def models(self) -> list[str]:
        """Names of all models that ever had a champion."""

    def champion(self, model: str) -> Any:
        """The deployment in force (it has a `digest`), or None."""


@dataclass(frozen=True)
class Failure:
    """A champion that could not be loaded; the one before it goes on.

    Attributes:
        digest: Of the bundle.
        error: As it is shown.
        attempts: So far.
        retry_at: `time.monotonic()` seconds of the next attempt.
    """

    digest: str
    error: dict[str, Any]
    attempts: int
    retry_at: float


class Fleet:
    """The loaded models of one worker, by name.

    Args:
        champions: The registry.
        load: Brings up a bundle; runs in a thread.
        on_swap: Told the model, the new version or None, and "swapped" or "failed".
        names: Of the models to serve; empty: every one that has a champion.
        default: Of several, the model of requests that name none.
    """

    def __init__(
        self,
        champions: Champions,
        load: Callable[[str, str], Live],
        on_swap: Callable[[str, str, str], None],
        *,
        names: Sequence[str] = (),
        default: str = "",
    ) -> None:
        self._champions, self._load, self._on_swap = champions, load, on_swap
        self._names, self._default = tuple(names), default
        self._live: dict[str, Live] = {}
        self._loading: dict[str, asyncio.Task[None]] = {}
        self._failures: dict[str, Failure] = {}
        self._registry_away = False

    @property
    def live(self) -> Mapping[str, Live]:
        """Loaded models by name."""
        return self._live

    @property
    def in_order(self) -> list[Live]:
        """Loaded models by name, the default first."""
        return sorted(self._live.values(), key=lambda live: (live.model != self._default, live.model))

    @property
    def failures(self) -> Mapping[str, Failure]:
        """Champions that did not load, by model."""
        return self._failures

    @property
    def missing(self) -> list[str]:
        """Models that the settings name and that are not loaded."""
        return sorted(set(self._names) - set(self._live))

    @property
    def is_ready(self) -> bool:
        """Whether every model that the settings name is loaded; where they name none, whether any is."""
        return bool(self._live) and not self.missing

    def get(self, model: str) -> Live:
        """The loaded version of a model. The hot path: one dictionary lookup.

        Raises:
            UnknownModelError: Other models are served, this one is not.
            NotReadyError: It is known but not loaded, or nothing is.
        """
        live = self._live.get(model)
        if live is None:
            raise self._absent(model)
        return live

    def only(self) -> Live:
        """The model of requests that name none.

        Raises:
            NotReadyError: It, or any, is not loaded.
            InputError: There are several, and the settings name no default.
        """
        if self._default:
            return self.get(self._default)
        if len(self._live) == 1:
            return next(iter(self._live.values()))
        if not self._live:
            raise self._absent(next(iter(self._failures), ""))
        names = sorted(self._live)
        raise InputError(
            f"several models are served: {names}", fix="Name one: /predict/MODEL, or set serve.default_model."
        )

    def _absent(self, model: str) -> EvertuneError:
        failure = self._failures.get(model)
        if failure is not None:
            return NotReadyError(
                f"the champion {failure.digest[:12]} of {model!r} does not load: {failure.error['error']}",
                fix="Run `evertune rollback`, or repair the bundle store.",
                model=model,
            )
        if self._live and model not in self._names:
            return UnknownModelError(f"model {model[:80]!r} is not served here", fix=f"Known: {sorted(self._live)}.")
        of_it = f" of {model!r}" if model in self._names else ""
        return NotReadyError(f"there is no champion{of_it} yet", fix=HOW_TO_GET_A_CHAMPION)

    async def follow(self, poll_seconds: float) -> None:
        """Looks for new champions for ever. A model that loads for long, or never, does not keep others waiting."""
        try:
            while True:
                await self._look()
                await asyncio.sleep(poll_seconds)
        finally:
            for task in self._loading.values():
                task.cancel()

    async def refresh(self) -> None:
        """Reads the registry and swaps what changed. Never raises: whatever fails, the server keeps what it has."""
        await self._look()
        await asyncio.gather(*self._loading.values())

    async def _look(self) -> None:
        """Starts a task for each model that has another champion, unless one is under way."""
        try:
            wanted = await asyncio.to_thread(self._read)
        except Exception as error:  # the database may be away for any reason of its driver
            if not self._registry_away:
                _log.error("the registry does not answer; serving goes on with what is loaded: %s", error)
            self._registry_away = True
            return
        self._registry_away = False
        for model, digest in wanted.items():
            if model not in self._loading:
                task = self._loading[model] = asyncio.create_task(self._follow_one(model, digest))
                task.add_done_callback(lambda _, model=model: self._loading.pop(model, None))  # type: ignore[misc]

    def _read(self) -> dict[str, str]:
        names = self._names or self._champions.models()
        champions = ((model, self._champions.champion(model)) for model in names)
        return {model: champion.digest for model, champion in champions if champion is not None}

    async def _follow_one(self, model: str, digest: str) -> None:
        current, failure = self._live.get(model), self._failures.get(model)
        if current is not None and current.digest == digest:
            self._failures.pop(model, None)  # rolled back to what was never taken down
            return
        if failure is not None and failure.digest == digest and time.monotonic() < failure.retry_at:
            return
        try:
            live = await asyncio.to_thread(self._load, model, digest)
        except Exception as error:
            self._note_failure(model, digest, error)
            return
        self._live = {**self._live, model: live}  # the flip: new requests take the new one from here on
        self._failures.pop(model, None)
        self._on_swap(model, live.version, "swapped")
        _log.info("serving %s %s (was %s)", model, live.version, current.version if current else "not served")

    def _note_failure(self, model: str, digest: str, error: Exception) -> None:
        before = self._failures.get(model)
        attempts = before.attempts + 1 if before is not None and before.digest == digest else 1
        known = error if isinstance(error, EvertuneError) else EvertuneError(f"{type(error).__name__}: {error}")
        wait_seconds = _RETRY_SECONDS[min(attempts, len(_RETRY_SECONDS)) - 1]
        self._failures[model] = Failure(digest, known.to_json(), attempts, time.monotonic() + wait_seconds)
        self._on_swap(model, digest[:12], "failed")
        kept = self._live[model].version if model in self._live else "none"
        _log.error("champion %s of %s does not load, %s stays: %s", digest[:12], model, kept, error)
