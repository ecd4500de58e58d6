"""Times in files: seconds since the epoch, or ISO 8601."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from typing import Any


def to_seconds(value: Any) -> float | None:
    """Seconds since the epoch; None where it is no time. A time without a zone is taken for UTC.

    Example:
        >>> to_seconds("1970-01-01T00:01:00Z"), to_seconds("60.5"), to_seconds("soon")
        (60.0, 60.5, None)
    """
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, date):
        return to_seconds(datetime(value.year, value.month, value.day))
    return _parse(str(value))


def _parse(text: str) -> float | None:
    try:
        return to_seconds(float(text))
    except ValueError:
        pass
    try:
        return to_seconds(datetime.fromisoformat(text))
    except ValueError:
        return None
