"""A time range as Grafana sees it: step, and the macros that depend on it."""

from __future__ import annotations

from dataclasses import dataclass

# Grafana's `roundInterval`, public/app/grafana-data: below the limit, the step; in seconds.
_STEPS = (
    *((1.5, 1), (3.5, 2), (7.5, 5), (12.5, 10), (17.5, 15), (25, 20), (45, 30), (90, 60), (210, 120), (450, 300)),
    *((750, 600), (1050, 900), (1500, 1200), (2700, 1800), (5400, 3600), (9000, 7200), (16_200, 10_800)),
    *((32_400, 21_600), (86_400, 43_200)),
)
_DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Span:
    """From when to when a dashboard looks.

    Attributes:
        start: Seconds since the epoch.
        end: Seconds since the epoch.
        scrape_seconds: `timeInterval` of the data source: Prometheus' scrape interval.
        points: Most points of a line: the width of a panel in pixels.
    """

    start: float
    end: float
    scrape_seconds: float = 15.0
    points: int = 800

    @property
    def step_seconds(self) -> float:
        """`$__interval`: step of range queries.

        Example:
            >>> Span(0, 6 * 3600).step_seconds
            30
        """
        wanted = (self.end - self.start) / self.points
        rounded = next((step for limit, step in _STEPS if wanted < limit), _DAY_SECONDS)
        return max(self.scrape_seconds, rounded)

    @property
    def macros(self) -> dict[str, str]:
        """Values of Grafana's macros.

        Example:
            >>> Span(0, 6 * 3600).macros["__rate_interval"]
            '60s'
        """
        step, whole = self.step_seconds, round(self.end - self.start)
        rate = max(step + self.scrape_seconds, 4 * self.scrape_seconds)
        return {
            "__rate_interval": _duration(rate),
            "__interval_ms": str(round(step * 1000)),
            "__interval": _duration(step),
            "__range_s": str(whole),
            "__range_ms": str(whole * 1000),
            "__range": f"{whole}s",
        }


def _duration(seconds: float) -> str:
    return f"{seconds:.0f}s" if seconds == int(seconds) else f"{seconds * 1000:.0f}ms"
