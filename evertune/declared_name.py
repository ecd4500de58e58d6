"""The name of a task, read without running its file."""

from __future__ import annotations

import ast
from pathlib import Path


def declared_name(reference: str, root: Path) -> str | None:
    """The name that a class derived from `Task` gives itself as a literal.

    Importing a task may take seconds and hundreds of megabytes; a worker that only waits for jobs needs neither.

    Args:
        reference: "task.py:Digits", the file relative to `root`.
        root: Folder of the project.

    Returns:
        None where only running the file could tell: no such file or class, a name that is inherited or computed, or a
        `HyperModel`, which borrows the name of the file's task.
    """
    file, _, class_name = reference.rpartition(":")
    try:
        tree = ast.parse((root / file).read_bytes())
    except (OSError, SyntaxError, ValueError):
        return None
    found = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == class_name]
    if len(found) != 1 or not any(_last_name(base) == "Task" for base in found[0].bases):
        return None
    values = [value for statement in found[0].body if (value := _assigned(statement)) is not None]
    literal = values[0].value if len(values) == 1 and isinstance(values[0], ast.Constant) else None
    return literal if isinstance(literal, str) else None


def _last_name(base: ast.expr) -> str:
    return base.attr if isinstance(base, ast.Attribute) else base.id if isinstance(base, ast.Name) else ""


def _assigned(statement: ast.stmt) -> ast.expr | None:
    """What the statement gives to `name`."""
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    else:
        return None
    return statement.value if any(isinstance(each, ast.Name) and each.id == "name" for each in targets) else None
