"""docs/export.md lists every refusal as it is in the code.

`UPDATE_DOCS=1 pytest tests/export/test_refusals_page.py` rewrites it.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_PAGE = _ROOT / "docs" / "export.md"
_BEGIN, _END = "<!-- refusals: begin -->\n", "<!-- refusals: end -->\n"
_ERRORS = ("ExportError", "RouteError", "OverLimitsError", "InputError", "DataError", "SettingsError")
_ANY = "..."  # what is only known when it happens: a layer, an operator, a number


def table() -> str:
    """One row an error that export/ and the kinds of tasks can raise."""
    files = sorted([*(_ROOT / "export").rglob("*.py"), *(_ROOT / "evertune" / "kinds").glob("*.py")])
    rows = [row for file in files for row in refusals(ast.parse(file.read_text()))]
    lines = [f"| {cell(message)} | {cell(fix)} |" for message, fix in dict(rows).items()]
    return "\n".join(["| refused because | what to do |", "|---|---|", *lines, ""])


def refusals(module: ast.Module) -> Iterator[tuple[str, str]]:
    """Message and fix of each error that the module makes."""
    functions = {node.name: node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)}
    constants = [node for node in module.body if isinstance(node, ast.Assign)]
    for each in functions.values():
        each.body += constants  # a text may be a constant of the module
    for function in functions.values():
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in _ERRORS and call.args:
                fixes = [keyword.value for keyword in call.keywords if keyword.arg == "fix"]
                yield said(call.args[0], function, functions), said(fixes[0], function, functions) if fixes else ""


def said(node: ast.expr, function: ast.FunctionDef, functions: dict[str, ast.FunctionDef]) -> str:
    """The text of an expression, as far as the code tells."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(said(part, function, functions) for part in node.values)
    if isinstance(node, ast.IfExp):
        return f"{said(node.body, function, functions)} / {said(node.orelse, function, functions)}"
    if isinstance(node, ast.Name):
        values = [each.value for each in ast.walk(function) if isinstance(each, ast.Assign) and names(each, node.id)]
        texts = [said(value, function, functions) for value in values]
        return " / ".join(texts) if texts and _ANY not in texts else _ANY
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions:
        inner = functions[node.func.id]
        found = [each.value for each in ast.walk(inner) if isinstance(each, ast.Return) and each.value is not None]
        return " / ".join(said(value, inner, functions) for value in found)
    return _ANY


def names(assignment: ast.Assign, name: str) -> bool:
    return any(isinstance(target, ast.Name) and target.id == name for target in assignment.targets)


def cell(text: str) -> str:
    return text.replace("|", "or").replace("<", "&lt;").replace("*", "\\*")


def test_the_page_lists_every_refusal_as_it_is_in_the_code() -> None:
    before, rest = _PAGE.read_text().split(_BEGIN)
    shown, after = rest.split(_END)
    if os.environ.get("UPDATE_DOCS"):
        _PAGE.write_text(before + _BEGIN + table() + _END + after)
        shown = table()
    assert shown == table()
    assert "ONNX has no operator for" in shown
