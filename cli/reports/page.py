"""A page: one HTML file with everything in it, for screens of any width, light or dark."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from evertune import __version__
from evertune.files import write_atomic

_LONG = 48  # letters, from which a cell may wrap
_STYLE = """
:root{color-scheme:light dark;--line:#8886;--dim:#888}
body{font:16px/1.5 system-ui,sans-serif;max-width:1000px;margin:2rem auto;padding:0 1rem}
h1{line-height:1.2}h2{margin:2.5rem 0 .5rem}p{margin:.4rem 0}.dim{color:var(--dim)}
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
td,th{padding:.25rem .75rem .25rem 0;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
td{white-space:nowrap}td.long{white-space:normal;min-width:24rem;overflow-wrap:anywhere}
pre{overflow-x:auto;font-size:13px;border-left:3px solid var(--line);
padding-left:.75rem}img{max-width:100%}nav a{margin-right:1rem}
"""
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>{title}</title><style>{style}</style>{script}</head>
<body><h1>{title}</h1><p class="dim">{subtitle}</p><nav>{links}</nav>
{body}
<p class="dim">Evertune {version}</p></body></html>
"""


class Page:
    """Collects sections, then writes them. Whatever it is given is escaped: names and messages come from users.

    Args:
        title: Of the page.
        subtitle: One line below it.
    """

    def __init__(self, title: str, subtitle: str = "") -> None:
        self._title, self._subtitle = title, subtitle
        self._sections: list[str] = []
        self._parts: list[str] = []
        self._plots = 0

    def section(self, title: str) -> None:
        """Begins a section."""
        self._sections.append(title)
        self._parts.append(f'<h2 id="{_anchor(title)}">{html.escape(title)}</h2>')

    def text(self, *lines: str, dim: bool = False) -> None:
        """Adds a paragraph a line."""
        style = ' class="dim"' if dim else ""
        self._parts += [f"<p{style}>{html.escape(line)}</p>" for line in lines]

    def table(self, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Adds a table, unless it has no rows."""
        body = [f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows]
        if body:
            head = "".join(f"<th>{html.escape(name)}</th>" for name in header)
            self._parts.append(f'<div class="wide"><table><tr>{head}</tr>{"".join(body)}</table></div>')

    def details(self, summary: str, text: str) -> None:
        """Adds a long text, folded."""
        shown, hidden = html.escape(summary), html.escape(text)
        self._parts.append(f"<details><summary>{shown}</summary><pre>{hidden}</pre></details>")

    def plot(self, figure: Any, note: str = "", *, least_width: int = 0) -> None:
        """Adds a plotly figure.

        Args:
            figure: Of plotly.
            note: A line below it.
            least_width: Pixels; on a narrower screen the plot scrolls.
        """
        self._plots += 1
        drawn = figure.to_html(
            full_html=False,
            include_plotlyjs=False,
            div_id=f"plot-{self._plots}",  # a page is the same when it is written again
            config={"responsive": True, "displayModeBar": False},
        )
        self._parts.append(f'<div class="wide"><div style="min-width:{least_width}px">{drawn}</div></div>')
        if note:
            self.text(note, dim=True)

    def picture(self, link: str, title: str) -> None:
        """Adds a picture that lies beside the page."""
        self._parts.append(f'<img src="{html.escape(link)}" alt="{html.escape(title)}">')

    def to_html(self) -> str:
        """The whole file; plotly's own code is in it once, where a plot needs it."""
        return _PAGE.format(
            title=html.escape(self._title),
            subtitle=html.escape(self._subtitle),
            style=_STYLE,
            script=_plotly() if self._plots else "",
            links="".join(f'<a href="#{_anchor(name)}">{html.escape(name)}</a>' for name in self._sections),
            body="\n".join(self._parts),
            version=__version__,
        )

    def write(self, path: Path) -> Path:
        """Writes the file, whole or not at all; its folder is made."""
        write_atomic(path, self.to_html().encode())
        path.chmod(0o644)  # `write_atomic` makes it ours alone; a page is for showing
        return path


def _cell(content: object) -> str:
    text = str(content)
    return f"<td{' class=long' if len(text) > _LONG else ''}>{html.escape(text)}</td>"


def _anchor(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return f"<script>{get_plotlyjs()}</script>"
