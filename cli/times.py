"""Moments and durations as people type them."""

from __future__ import annotations

import re
from datetime import datetime

from evertune.errors import InputError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhdw])+")


def parse_duration(text: str) -> float:
    """Seconds of `90s`, `15m`, `2h`, `3d`, `1w`, or of several in a row.

    Raises:
        InputError: The text is none of these, or zero.

    Example:
        >>> parse_duration("1h30m")
        5400.0
    """
    wanted = text.strip().lower()
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhdw])", wanted) if _DURATION.fullmatch(wanted) else []
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if seconds <= 0:
        raise InputError(f"{text[:80]!r} is no duration", fix="Write 90s, 15m, 2h, 3d, 1w, or 1h30m.")
    return float(seconds)


def parse_moment(text: str) -> float:
    """Seconds since the epoch of an ISO 8601 date or time; local time where it names no zone.

    Raises:
        InputError: The text is none.

    Example:
        >>> parse_moment("1970-01-02T00:00+00:00")
        86400.0
    """
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise InputError(
            f"{text[:80]!r} is no time", fix="Write 2026-12-24, 2026-12-24T18:00, or with a zone: 2026-12-24T18:00Z."
        ) from error


def duration(seconds: float) -> str:
    """A time span for people, to two units.

    Example:
        >>> [duration(each) for each in (0.4, 75.0, 4000.0, 200_000.0)]
        ['0 s', '1 min 15 s', '1 h 6 min', '2 d 7 h']
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    for large, small, size in (("d", "h", 86_400), ("h", "min", 3600), ("min", "s", 60)):
        if seconds >= size:
            whole, rest = divmod(seconds, size)
            part = {"h": 3600, "min": 60, "s": 1}[small]
            return f"{whole:.0f} {large} {rest // part:.0f} {small}"
    raise AssertionError(seconds)  # 60 s are a minute
