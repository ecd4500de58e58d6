"""The clock that is injected wherever time is read, so that tests own it."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Returns seconds since the Unix epoch. Durations are measured with `time.monotonic`, not with this."""

system_clock: Clock = time.time
