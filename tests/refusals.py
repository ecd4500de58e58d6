"""The texts of errors as far as the code tells them, for pages that list refusals."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).parents[1]
ANY = "..."  # what is only known when it happens: a layer, an operator, a number


class Module:
    """One file's functions, with the constants that their texts may be.

    Args:
        path: Of the file.
    """

    def __init__(self, path: Path) -> None:
        self.tree = ast.parse(path.read_text())
        self.functions = {node.name: node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef)}
        constants = [*_constants(self.tree), *_imported(self.tree)]
        for each in self.functions.values():
            each.body += constants

    def calls(self, *names: str) -> Iterator[tuple[ast.Call, ast.FunctionDef]]:
        """Calls of functions of these names, or of methods of these names, with the function that they stand in."""
        for function in self.functions.values():
            for call in ast.walk(function):
                if isinstance(call, ast.Call) and _called(call) in names and call.args:
                    yield call, function

    def given(self) -> Iterator[tuple[ast.expr, ast.FunctionDef]]:
        """What functions return or yield, with the function."""
        for function in self.functions.values():
            for node in ast.walk(function):
                if isinstance(node, ast.Return | ast.Yield) and node.value is not None:
                    yield node.value, function

    def said(self, node: ast.expr, function: ast.FunctionDef) -> str:
        """The text of an expression in a function."""
        return _said(node, function, self.functions)

    def fix(self, call: ast.Call, function: ast.FunctionDef) -> str:
        """The text of the argument `fix`; empty without one."""
        found = [keyword.value for keyword in call.keywords if keyword.arg == "fix"]
        return self.said(found[0], function) if found else ""


def cell(text: str) -> str:
    """As a cell of a table in Markdown."""
    return text.replace("|", "or").replace("<", "&lt;").replace("*", "\\*")


def _constants(tree: ast.Module) -> list[ast.Assign]:
    return [node for node in tree.body if isinstance(node, ast.Assign)]


def _imported(tree: ast.Module) -> Iterator[ast.Assign]:
    """Constants of other modules of this project, under the names that they have here."""
    for node in tree.body:
        path = _ROOT / f"{(node.module or '').replace('.', '/')}.py" if isinstance(node, ast.ImportFrom) else _ROOT
        if not isinstance(node, ast.ImportFrom) or not path.is_file():
            continue
        known = _constants(ast.parse(path.read_text()))
        for alias in node.names:
            for each in known:
                if _names(each, alias.name):
                    yield ast.Assign([ast.Name(alias.asname or alias.name, ast.Store())], each.value, lineno=0)


def _called(call: ast.Call) -> str:
    if isinstance(call.func, ast.Name):
        return call.func.id
    return f".{call.func.attr}" if isinstance(call.func, ast.Attribute) else ""


def _said(node: ast.expr, function: ast.FunctionDef, functions: dict[str, ast.FunctionDef]) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_said(part, function, functions) for part in node.values)
    if isinstance(node, ast.FormattedValue) and isinstance(node.value, ast.Name) and node.value.id.isupper():
        return _said(node.value, function, functions)  # a constant: the name of a file
    if isinstance(node, ast.IfExp):
        return f"{_said(node.body, function, functions)} / {_said(node.orelse, function, functions)}"
    if isinstance(node, ast.Name):
        values = [each.value for each in ast.walk(function) if isinstance(each, ast.Assign) and _names(each, node.id)]
        texts = [_said(value, function, functions) for value in values]
        return " / ".join(texts) if texts and ANY not in texts else ANY
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions:
        inner = functions[node.func.id]
        found = [each.value for each in ast.walk(inner) if isinstance(each, ast.Return) and each.value is not None]
        return " / ".join(_said(value, inner, functions) for value in found)
    return ANY


def _names(assignment: ast.Assign, name: str) -> bool:
    return any(isinstance(target, ast.Name) and target.id == name for target in assignment.targets)
