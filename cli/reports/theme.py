"""How plots look: legible on light and dark ground, and the same in every report."""

from __future__ import annotations

import html
from typing import Any

import plotly.graph_objects as go

ACCENT, PALE, SECOND = "#e4572e", "#8a97a6", "#2a9d8f"
_INK, _LINE = "#8b8f97", "rgba(128,128,128,0.25)"


def figure(*traces: Any, title: str, x: str = "", y: str = "", height: int = 420) -> Any:
    """An empty or filled figure without a ground of its own.

    Args:
        *traces: Of plotly.
        title: Of the plot.
        x: Title of the axis.
        y: Title of the axis.
        height: Pixels.
    """
    made = go.Figure(traces)
    made.update_layout(
        title={"text": title, "font_size": 15},
        height=height,
        margin={"l": 50, "r": 20, "t": 50, "b": 45},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font_color=_INK,
        legend={"orientation": "h", "y": -0.2},
        hoverlabel={"align": "left"},
    )
    for axis, name in ((made.update_xaxes, x), (made.update_yaxes, y)):
        axis(title=name, gridcolor=_LINE, zeroline=False, linecolor=_LINE, automargin=True)
    return made


def safe(text: object) -> str:
    """A text as plotly shall show it: it takes a few tags for markup, and these texts are users'.

    Example:
        >>> safe("a <b> & c")
        'a &lt;b&gt; &amp; c'
    """
    return html.escape(str(text), quote=False)


def bars(lower: list[float], value: list[float], upper: list[float]) -> dict[str, Any]:
    """Error bars from the ends of intervals."""
    return {
        "type": "data",
        "symmetric": False,
        "array": [high - middle for high, middle in zip(upper, value, strict=True)],
        "arrayminus": [middle - low for low, middle in zip(lower, value, strict=True)],
        "thickness": 1.5,
    }
