"""docs/export.md lists every refusal as it is in the code.

`UPDATE_DOCS=1 pytest tests/export/test_refusals_page.py` rewrites it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from tests.refusals import Module, cell

_ROOT = Path(__file__).parents[2]
_PAGE = _ROOT / "docs" / "export.md"
_BEGIN, _END = "<!-- refusals: begin -->\n", "<!-- refusals: end -->\n"
_ERRORS = ("ExportError", "RouteError", "OverLimitsError", "InputError", "DataError", "SettingsError")


def table() -> str:
    """One row an error that export/ and the kinds of tasks can raise."""
    files = sorted([*(_ROOT / "export").rglob("*.py"), *(_ROOT / "evertune" / "kinds").glob("*.py")])
    rows = [row for file in files for row in refusals(Module(file))]
    lines = [f"| {cell(message)} | {cell(fix)} |" for message, fix in dict(rows).items()]
    return "\n".join(["| refused because | what to do |", "|---|---|", *lines, ""])


def refusals(module: Module) -> Iterator[tuple[str, str]]:
    """Message and fix of each error that the module makes."""
    for call, function in module.calls(*_ERRORS):
        yield module.said(call.args[0], function), module.fix(call, function)


def test_the_page_lists_every_refusal_as_it_is_in_the_code() -> None:
    before, rest = _PAGE.read_text().split(_BEGIN)
    shown, after = rest.split(_END)
    if os.environ.get("UPDATE_DOCS"):
        _PAGE.write_text(before + _BEGIN + table() + _END + after)
        shown = table()
    assert shown == table()
    assert "ONNX has no operator for" in shown
