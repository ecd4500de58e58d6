"""What all dashboards share: variables, annotations, links between them, tags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard

from monitoring.dashboards.panels import DATASOURCE, runbook_link

TAG = "evertune"
_WINDOWS = ("1h", "1d", "7d")
# A champion's first half minute (two scrapes) and one step of the query more, or a long range would step over it.
_SWAPS = 'evertune_model_promoted_timestamp_seconds{model=~"$model"} > time() - 30 - $__interval_ms / 1000'
_RETUNES = 'max by (model) (evertune_retune_running{model=~"$model"}) == 1'


def frame(name: str, title: str, description: str, *, runbooks: Sequence[str] = ()) -> build.Dashboard:
    """A dashboard without panels or variables.

    Args:
        name: Unique; the address in Grafana is `/d/evertune-<name>`.
        title: Shown.
        description: Shown.
        runbooks: Alerts whose pages are linked at the top.
    """
    board = build.Dashboard(title).uid(f"evertune-{name}").description(description).tags([TAG]).editable()
    board.time("now-6h", "now").refresh("30s").timezone("browser").tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
    others = build.DashboardLink("Evertune").type(dashboard.DashboardLinkType.DASHBOARDS).tags([TAG])
    board.link(others.as_dropdown(False).keep_time(True).include_vars(True))
    for alert in runbooks:
        board.link(runbook_link(alert))
    board.annotation(_annotation("Champion promoted", _SWAPS, "green"))
    return board.annotation(_annotation("Re-tune waits or runs", _RETUNES, "orange"))


def _annotation(name: str, expression: str, colour: str) -> build.AnnotationQuery:
    query = build.AnnotationQuery().name(name).datasource(DATASOURCE).enable(True).expr(expression)
    return query.icon_color(colour)


def source_variable() -> build.DatasourceVariable:
    """Which Prometheus."""
    chosen = dashboard.VariableOption(selected=True, text="Prometheus", value="evertune-prometheus")
    return build.DatasourceVariable("datasource").label("Data source").type("prometheus").current(chosen)


def docs_variable(address: str) -> build.CustomVariable:
    """Where the documentation lies, for the links to runbooks."""
    chosen = dashboard.VariableOption(selected=True, text=address, value=address)
    variable = build.CustomVariable("docs").label("Documentation").values(address).options([chosen]).current(chosen)
    return variable.hide(dashboard.VariableHide.HIDE_VARIABLE)


def label_variable(name: str, label: str, metric: str, *, several: bool) -> build.QueryVariable:
    """Values of a label.

    Args:
        name: Of the variable and of the label.
        label: Shown.
        metric: Which series have it.
        several: More than one may be chosen, and all are at first.
    """
    expression = f"label_values({metric}, {name})"
    query: dict[str, Any] = {"qryType": 1, "query": expression, "refId": "PrometheusVariableQueryEditor-VariableQuery"}
    variable = build.QueryVariable(name).label(label).datasource(DATASOURCE).query(query)
    variable.refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(dashboard.VariableSort.ALPHABETICAL_ASC)
    if several:
        chosen = dashboard.VariableOption(selected=True, text=["All"], value=["$__all"])
        variable.multi(True).include_all(True).current(chosen)
    return variable


def window_variable() -> build.CustomVariable:
    """Over which time figures are summed up."""
    options = [dashboard.VariableOption(selected=each == "1h", text=each, value=each) for each in _WINDOWS]
    variable = build.CustomVariable("window").label("Window").values(",".join(_WINDOWS)).options(options)
    return variable.current(options[0])
