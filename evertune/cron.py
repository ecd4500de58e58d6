"""Cron expressions as cron itself reads them, computed by APScheduler.

APScheduler numbers weekdays from Monday, refuses 7 and Friday to Sunday, ignores what it does not know behind a weekday
(`mon#1`), and wants day of month and weekday both to match. What users know is crontab(5): Sunday is 0 and 7, and where
both days are restricted, either is enough. So the fields are checked and put into names here first.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ITEM = re.compile(r"(?:\*|([0-9]+|[a-z]{3})(?:-([0-9]+|[a-z]{3}))?)(?:/([1-9][0-9]*))?")
_FIELDS = ("minute", "hour", "day", "month", "day_of_week")


class Cron:
    """The moments that a cron expression names. Hands out seconds since the epoch.

    A time that a clock skips in spring comes an hour later; one that it shows twice in autumn is named twice.

    Args:
        expression: Minute, hour, day of month, month, weekday.
        timezone: IANA name, such as "Europe/Berlin", or "UTC".

    Raises:
        ValueError: The expression is malformed or never comes true, or the zone is unknown.

    Example:
        >>> Cron("30 3 * * sun").after(0.0) / 86_400
        3.1458333333333335
    """

    def __init__(self, expression: str, timezone: str = "UTC") -> None:
        self.zone = _zone(timezone)
        self._triggers = _triggers(expression, self.zone)
        if self.after(0.0) is None:
            raise ValueError("it never comes true")

    def after(self, moment: float) -> float | None:
        """The first firing strictly after a moment; None where there is none any more."""
        # In UTC: adding to a local time forgets which of two equal hours was meant.
        start = datetime.fromtimestamp(int(moment) + 1, UTC)
        found = [trigger.get_next_fire_time(None, start) for trigger in self._triggers]
        return min((time.timestamp() for time in found if time is not None), default=None)

    def latest(self, since: float, until: float) -> float | None:
        """The last firing with `since < firing <= until`; None where there is none.

        Example:
            >>> Cron("*/10 * * * *").latest(0.0, 1900.0)
            1800.0
        """
        last, found = None, self.after(since)
        while found is not None and found <= until:
            last, found = found, self.after(found)
        return last

    def local(self, moment: float) -> str:
        """What a clock in the zone shows, to the minute.

        Example:
            >>> Cron("0 3 * * *", "Europe/Berlin").local(0.0)
            '1970-01-01T01:00'
        """
        return datetime.fromtimestamp(moment, self.zone).strftime("%Y-%m-%dT%H:%M")


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC  # needs no database of zones
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"there is no time zone {name!r}; use an IANA name such as Europe/Berlin, or UTC") from error


def _triggers(expression: str, zone: tzinfo) -> list[Any]:
    from apscheduler.triggers.cron import CronTrigger  # 80 ms that a project without schedules does not pay

    parts = expression.lower().split()
    if len(parts) != len(_FIELDS):
        raise ValueError(f"{len(parts)} fields; minute, hour, day, month and weekday are needed, as in '0 3 * * sun'")
    for name, part in zip(_FIELDS, parts, strict=True):
        if not all(_ITEM.fullmatch(item) for item in part.split(",")):
            raise ValueError(f"{part!r} is no {name.replace('_', ' ')}")
    fields = dict(zip(_FIELDS, parts, strict=True))
    fields["day_of_week"] = _weekdays(fields["day_of_week"])
    if parts[2].startswith("*") or parts[4].startswith("*"):
        return [CronTrigger(timezone=zone, **fields)]
    return [CronTrigger(timezone=zone, **{**fields, name: "*"}) for name in ("day", "day_of_week")]  # either is enough


def _weekdays(field: str) -> str:
    """By name, each day for itself.

    Example:
        >>> _weekdays("0,5-7"), _weekdays("*/3"), _weekdays("*")
        ('sun,fri,sat', 'sun,wed,sat', '*')
    """
    if field == "*":
        return field
    days: dict[str, None] = {}
    for item in field.split(","):
        match = _ITEM.fullmatch(item)
        assert match is not None  # checked before
        first, last, step = match.groups()
        numbers = range(7) if first is None else _range(first, last, open_end=step is not None)
        days.update(dict.fromkeys(_WEEKDAYS[number] for number in numbers[:: int(step or 1)]))
    return ",".join(days)


def _range(first: str, last: str | None, *, open_end: bool) -> range:
    start = _weekday(first)
    if last is None:
        return range(start, 7 if open_end else start + 1)
    end = _weekday(last)
    end = 7 if end == 0 and start > 0 else end  # "fri-sun"
    if end < start:
        raise ValueError(f"{first}-{last} runs backwards")
    return range(start, end + 1)


def _weekday(text: str) -> int:
    number = int(text) if text.isdigit() else _WEEKDAYS.index(text) if text in _WEEKDAYS else 8
    if number > 7:
        raise ValueError(f"{text!r} is no weekday: use 0 to 7 or sun to sat")
    return number
