"""Fills in a dashboard's variables and macros, as Grafana would."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from evertune.errors import EvertuneError
from monitoring.dashboards.prometheus import Prometheus
from monitoring.dashboards.span import Span

_LABEL_VALUES = re.compile(r"label_values\((?P<metric>.+),\s*(?P<label>\w+)\)")
_NAME = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
# `prometheusSpecialRegexEscape` of Grafana's Prometheus data source: escaped for a regex within a quoted string.
_SPECIAL = re.compile(r"[$^*{}\[\]'+?.()|]")


def options(variable: Mapping[str, Any], prometheus: Prometheus, span: Span) -> list[str]:
    """What a variable offers, sorted; for a data source its current value.

    Args:
        variable: An entry of the dashboard's `templating.list`.
        prometheus: Where a query variable's values come from.
        span: The dashboard's time range.

    Raises:
        EvertuneError: The query is of a kind that we do not use.
    """
    if variable["type"] == "query":
        query = str(variable["query"]["query"])
        found = _LABEL_VALUES.fullmatch(query)
        if found is None:
            raise EvertuneError(f"variable {variable['name']}: cannot run {query!r}", fix="Use label_values(...).")
        return sorted(prometheus.label_values(found["metric"], found["label"], span))
    if variable["type"] == "custom":
        return str(variable["query"]).split(",")
    return [str(variable["current"]["value"])]


def choose(
    board: Mapping[str, Any], prometheus: Prometheus, span: Span, wanted: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The text that stands for each variable and macro: `wanted`, else all where several may be chosen, else the first.

    Args:
        board: A dashboard's JSON.
        prometheus: Where query variables' values come from.
        span: The dashboard's time range.
        wanted: Values by name, as a person would choose them.
    """
    chosen = dict(span.macros)
    for variable in board["templating"]["list"]:
        name = str(variable["name"])
        several = bool(variable.get("multi") or variable.get("includeAll"))
        values = [wanted[name]] if wanted and name in wanted else options(variable, prometheus, span)
        if not several:
            chosen[name] = values[0].replace("\\", "\\\\").replace("'", "\\'") if values else ""
        else:
            escaped = [_SPECIAL.sub(r"\\\\\g<0>", value) for value in values]
            chosen[name] = escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"
    return chosen


def interpolate(text: str, chosen: Mapping[str, str]) -> str:
    """Replaces `$name` and `${name}`.

    Example:
        >>> interpolate('rate(x{model=~"$model"}[$__rate_interval])', {"model": "(a|b)", "__rate_interval": "60s"})
        'rate(x{model=~"(a|b)"}[60s])'

    Raises:
        EvertuneError: A name that is neither a variable nor a macro.
    """

    def replace(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name not in chosen:
            raise EvertuneError(f"unknown variable ${name} in {text!r}", fix=f"Known: {sorted(chosen)}.")
        return chosen[name]

    return _NAME.sub(replace, text)
