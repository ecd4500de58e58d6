"""What holds re-tuning of a model back for a while: a pause in the ledger, or a maintenance window in the settings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from evertune.ledger import Ledger
from evertune.settings import RetuneSettings


@dataclass(frozen=True)
class Hold:
    """A reason to wait.

    Attributes:
        what: Kind.
        until: Seconds since the epoch; None where nobody knows.
        note: Who or why, in words.
    """

    what: Literal["pause", "maintenance"]
    until: float | None
    note: str = ""

    @property
    def text(self) -> str:
        """For people.

        Example:
            >>> Hold("pause", 0.0, "ann: holiday").text
            'pause until 1970-01-01 00:00 UTC (ann: holiday)'
        """
        until = "" if self.until is None else f" until {datetime.fromtimestamp(self.until, UTC):%Y-%m-%d %H:%M} UTC"
        return f"{self.what}{until}{f' ({self.note})' if self.note else ''}"


class Brakes:
    """Asked before a job begins, and before its challenger is promoted.

    Args:
        ledger: Pauses, and the clock.
        settings: Maintenance windows.
    """

    def __init__(self, ledger: Ledger, settings: RetuneSettings) -> None:
        self._ledger = ledger
        self._windows = [(window, window.moments) for window in settings.maintenance]

    def start(self, model: str) -> Hold | None:
        """What keeps a job of this model from beginning now."""
        return self._pause(model) or self._maintenance("starts")

    def promotion(self, model: str) -> Hold | None:
        """What keeps a challenger of this model from being promoted now."""
        return self._pause(model) or self._maintenance("promotions")

    def not_to_start(self) -> list[str]:
        """Models whose jobs may not begin now."""
        return [model for model in self._ledger.registry.models() if self.start(model) is not None]

    def _pause(self, model: str) -> Hold | None:
        pause = self._ledger.pauses.current(model)
        if pause is None:
            return None
        return Hold("pause", pause.until, f"{pause.actor}: {pause.reason}" if pause.reason else pause.actor)

    def _maintenance(self, what: str) -> Hold | None:
        now = self._ledger.clock()
        ends = []
        for window, moments in self._windows:
            if window.holds in (what, "both"):
                begun = moments.latest(now - window.duration_seconds, now)
                ends += [] if begun is None else [begun + window.duration_seconds]
        return Hold("maintenance", max(ends)) if ends else None
