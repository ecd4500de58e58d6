"""The kinds of panels that the dashboards are made of."""

from __future__ import annotations

from typing import Any, TypeVar

from grafana_foundation_sdk.builders import bargauge, common, heatmap, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as choices
from grafana_foundation_sdk.models import dashboard, prometheus
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode

from monitoring.dashboards.face import GOOD, PLAIN, Face, Query

Panel = Builder[dashboard.Panel]
"""Any kind of them."""
DATASOURCE = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")
_LAST = common.ReduceDataOptions().calcs(["lastNotNull"]).values(False).fields("")
_PanelT = TypeVar(
    "_PanelT", timeseries.Panel, stat.Panel, bargauge.Panel, heatmap.Panel, statetimeline.Panel, table.Panel
)


def lines(face: Face, *queries: Query, stacked: bool = False, band: tuple[str, str] | None = None) -> timeseries.Panel:
    """Lines over time; thresholds are dashed lines.

    Args:
        face: Of the panel.
        queries: Each may give several lines.
        stacked: Bars on top of each other, for counts.
        band: Legends of the lower and the upper edge of an area between two lines.
    """
    legend = common.VizLegendOptions().show_legend(True).display_mode(choices.LegendDisplayMode.LIST)
    panel = _dress(timeseries.Panel(), face, queries, Dataquery().range())
    panel.legend(legend.placement(choices.LegendPlacement.BOTTOM).calcs([]))
    panel.tooltip(common.VizTooltipOptions().mode(choices.TooltipDisplayMode.MULTI))
    panel.color_scheme(build.FieldColor().mode(dashboard.FieldColorModeId.PALETTE_CLASSIC))
    panel.line_width(2).show_points(choices.VisibilityMode.NEVER).span_nulls(False)
    if face.steps:
        style = common.GraphThresholdsStyleConfig().mode(choices.GraphThresholdsStyleMode.DASHED)
        panel.thresholds_style(style)
    if stacked:
        panel.draw_style(choices.GraphDrawStyle.BARS).fill_opacity(80)
        panel.stacking(common.StackingConfig().mode(choices.StackingMode.NORMAL).group("A"))
    if band is not None:
        lower, upper = band
        thin = [_value("custom.lineWidth", 0), _value("color", {"mode": "fixed", "fixedColor": PLAIN})]
        panel.override_by_name(lower, thin)
        panel.override_by_name(upper, [*thin, _value("custom.fillBelowTo", lower), _value("custom.fillOpacity", 20)])
    return panel


def number(face: Face, query: Query) -> stat.Panel:
    """One large figure, coloured by its thresholds."""
    panel = _dress(stat.Panel(), face, (query,), Dataquery().instant())
    panel.graph_mode(choices.BigValueGraphMode.NONE).color_mode(choices.BigValueColorMode.VALUE)
    return panel.reduce_options(_LAST)


def bars(face: Face, *queries: Query) -> bargauge.Panel:
    """One horizontal bar a series."""
    panel = _dress(bargauge.Panel(), face, queries, Dataquery().instant())
    panel.display_mode(choices.BarGaugeDisplayMode.BASIC).orientation(choices.VizOrientation.HORIZONTAL)
    return panel.reduce_options(_LAST).show_unfilled(True)


def heat(face: Face, query: Query) -> heatmap.Panel:
    """Buckets of a histogram over time; the query's legend is `{{le}}`."""
    shape = Dataquery().range().format(prometheus.PromQueryFormat.HEATMAP)
    panel = _dress(heatmap.Panel(), face, (query,), shape)
    linear = common.ScaleDistributionConfig().type(choices.ScaleDistribution.LINEAR)
    panel.color(_colour()).y_axis(_axis(face.unit)).hide_legend().scale_distribution(linear)
    return panel


def timeline(face: Face, *queries: Query) -> statetimeline.Panel:
    """One row a series, filled while it is 1."""
    off, on = (
        dashboard.ValueMappingResult(text=" ", color="transparent"),
        dashboard.ValueMappingResult(text="on", color=PLAIN),
    )
    panel = _dress(statetimeline.Panel(), face, queries, Dataquery().range())
    panel.mappings([dashboard.ValueMap(options={"0": off, "1": on})])
    panel.color_scheme(build.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS))
    panel.line_width(0).fill_opacity(70)
    return panel.show_value(choices.VisibilityMode.NEVER).merge_values(True)


def grid(face: Face, *columns: tuple[Query, str, tuple[tuple[float, str], ...]], by: tuple[str, ...]) -> table.Panel:
    """One row a label set, one column a query.

    Args:
        face: Of the panel; its unit is that of no column.
        columns: Query, whose legend is the column's title; unit; thresholds that colour the cell.
        by: Labels that all queries are summed up by; they come first.
    """
    shape = Dataquery().instant().format(prometheus.PromQueryFormat.TABLE)
    panel = _dress(table.Panel(), face, [query for query, _, _ in columns], shape)
    panel.align(choices.FieldTextAlignment.AUTO).inspect(False)
    names = {f"Value #{_ref(index)}": query.legend for index, (query, _, _) in enumerate(columns)}
    order = {name: index for index, name in enumerate([*by, *names])}
    organize = {"excludeByName": {"Time": True}, "indexByName": order, "renameByName": names}
    panel.with_transformation(dashboard.DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(dashboard.DataTransformerConfig(id_val="organize", options=organize))
    for query, unit, steps in columns:
        looks = [_value("unit", unit)]
        if steps:
            looks.append(_value("thresholds", _thresholds(steps, GOOD).build()))
            looks.append(_value("custom.cellOptions", {"type": "color-text"}))
        panel.override_by_name(query.legend, looks)
    return panel


def _dress(panel: _PanelT, face: Face, queries: list[Query] | tuple[Query, ...], shape: Dataquery) -> _PanelT:
    like = shape.build()
    panel.title(face.title).description(face.description).datasource(DATASOURCE)
    panel.unit(face.unit).span(face.width).height(face.height).no_value(face.empty)
    panel.thresholds(_thresholds(face.steps, face.base))
    panel.links([runbook_link(name) for name in face.runbooks])
    if face.decimals is not None:
        panel.decimals(face.decimals)
    if face.minimum is not None:
        panel.min(face.minimum)
    if face.maximum is not None:
        panel.max(face.maximum)
    for index, query in enumerate(queries):
        panel.with_target(_target(query, _ref(index), like))
    return panel


def _target(query: Query, ref: str, like: prometheus.Dataquery) -> Dataquery:
    target = Dataquery().expr(query.expression).ref_id(ref).legend_format(query.legend or "__auto")
    target.datasource(DATASOURCE).editor_mode(prometheus.QueryEditorMode.CODE)
    if like.format_val is not None:
        target.format(like.format_val)
    return target.instant() if like.instant else target.range()


def runbook_link(alert: str) -> build.DashboardLink:
    """A link to the page that says what to do about an alert."""
    link = build.DashboardLink(f"Runbook: {alert}").type(dashboard.DashboardLinkType.LINK)
    return link.url(f"${{docs}}/runbooks/{alert}.md").target_blank(True)


def _thresholds(steps: tuple[tuple[float, str], ...], base: str) -> build.ThresholdsConfig:
    first = dashboard.Threshold(value=None, color=base)
    rest = [dashboard.Threshold(value=value, color=colour) for value, colour in steps]
    return build.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps([first, *rest])


def _ref(index: int) -> str:
    return chr(ord("A") + index)


def _value(name: str, value: Any) -> dashboard.DynamicConfigValue:
    return dashboard.DynamicConfigValue(id_val=name, value=value)


def _colour() -> heatmap.HeatmapColorOptions:
    return heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Blues").steps(32)


def _axis(unit: str) -> heatmap.YAxisConfig:
    return heatmap.YAxisConfig().unit(unit)
