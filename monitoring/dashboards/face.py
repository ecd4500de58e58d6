"""What every panel must say about itself."""

from __future__ import annotations

from dataclasses import dataclass

GOOD, FAIR, BAD, PLAIN = "green", "orange", "red", "blue"


@dataclass(frozen=True)
class Query:
    """One query of a panel.

    Attributes:
        expression: PromQL, with Grafana's variables and macros.
        legend: Template of the series' name: `{{model}}`.
    """

    expression: str
    legend: str = ""


@dataclass(frozen=True)
class Face:
    """All of a panel but its kind and its queries.

    Attributes:
        title: Short.
        description: What it shows, and what to make of it.
        unit: Of Grafana: "percentunit", "s", "reqps", "short", ...
        width: Of 24 columns.
        height: Rows.
        steps: Thresholds: from which value on, which colour.
        base: Colour below the first of them.
        runbooks: Names of the alerts that watch the same figure.
        decimals: None leaves it to Grafana.
        minimum: Of the axis.
        maximum: Of the axis.
        empty: Shown where there is no value.
    """

    title: str
    description: str
    unit: str
    width: int = 8
    height: int = 8
    steps: tuple[tuple[float, str], ...] = ()
    base: str = GOOD
    runbooks: tuple[str, ...] = ()
    decimals: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    empty: str = "-"
