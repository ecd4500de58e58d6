"""Asks for re-tunes at the times that `[[retune.schedules]]` names."""

from __future__ import annotations

import logging

from evertune.cron import Cron
from evertune.errors import UnknownModelError
from evertune.ledger import Ledger, RetuneRequest
from evertune.settings import RetuneSettings
from evertune.timetable import ScheduleSettings
from retune.ask import ask

_log = logging.getLogger("evertune.retune")


class Schedules:
    """Looks again and again which firings have come. An outage of the ledger is made up for at the next look.

    The ledger holds a firing once, under schedule and time: several workers ask once, and so does one that is started
    again. Of the firings missed meanwhile only the last is asked for, and only if it is no older than
    `catch_up_seconds`. A time that a clock shows twice in autumn counts once.

    Args:
        ledger: Where requests go; its clock is the one that counts.
        settings: The schedules.
    """

    def __init__(self, ledger: Ledger, settings: RetuneSettings) -> None:
        self._ledger = ledger
        now = ledger.clock()
        self._looks = [_Look(each, now - each.catch_up_seconds) for each in settings.schedules]

    def step(self) -> list[RetuneRequest]:
        """Asks for what is due.

        Returns:
            The requests that are new.

        Raises:
            LedgerError: The ledger is away; the next call asks again.
        """
        now, new = self._ledger.clock(), list[RetuneRequest]()
        for look in self._looks:
            due = look.moments.latest(max(look.until, now - look.schedule.catch_up_seconds - _SLACK_SECONDS), now)
            if due is not None:
                new += self._ask(look.schedule, look.moments.local(due))
            look.until = now
        return new

    def _ask(self, schedule: ScheduleSettings, slot: str) -> list[RetuneRequest]:
        models = [schedule.model] if schedule.model else self._ledger.registry.models()
        asked = []
        for model in models:
            try:
                asked.append(
                    ask(
                        self._ledger,
                        model,
                        "schedule",
                        without_drift=schedule.without_drift,
                        fingerprint=f"schedule:{schedule.name}:{slot}",
                        reason=f"schedule {schedule.name}",
                    )
                )
            except UnknownModelError as error:
                _log.warning("schedule %s at %s: %s", schedule.name, slot, error)
        return [request for request, is_new in asked if is_new]


# A process that hung, or a machine that slept, has missed firings like one that was down; a slow step has not.
_SLACK_SECONDS = 60.0


class _Look:
    """A schedule, and up to when its firings were asked for."""

    def __init__(self, schedule: ScheduleSettings, until: float) -> None:
        self.schedule = schedule
        self.until = until
        self.moments: Cron = schedule.moments
