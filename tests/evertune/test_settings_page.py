"""docs/settings.md shows every setting as it is in the code.

`UPDATE_DOCS=1 pytest tests/evertune/test_settings_page.py` rewrites it.
"""

from __future__ import annotations

import ast
import inspect
import os
from pathlib import Path
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from evertune import settings, timetable
from evertune.settings import Settings

_PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
_BEGIN, _END = "<!-- table: begin -->\n", "<!-- table: end -->\n"
_SIGNS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


def table() -> str:
    """One Markdown table a section: key, default, allowed values, and the comment beside it in the code."""
    notes = comments()
    parts = []
    for name, field in Settings.model_fields.items():
        model = type(field.default)
        parts += section(f"[{name}]", model, notes)
        for key, info in model.model_fields.items():
            if (entry := listed(info)) is not None:
                parts += section(f"[[{name}.{key}]]", entry, notes)
    return "\n".join(parts)


def section(title: str, model: type[BaseModel], notes: dict[tuple[str, str], str]) -> list[str]:
    """Heading, introduction, table."""
    head = f"## `{title}`\n\n{intro(model)}\n\n| key | default | allowed | meaning |\n|---|---|---|---|"
    rows = []
    for key, info in model.model_fields.items():
        shown = "required" if info.is_required() else f"`{default(info.default)}`"
        note = next((notes[base.__name__, key] for base in model.__mro__ if (base.__name__, key) in notes), "")
        rows.append(f"| {' | '.join((f'`{key}`', shown, allowed(info), note))} |".replace("  ", " "))
    return [head, *rows, ""]


def listed(info: FieldInfo) -> type[BaseModel] | None:
    """The tables that a list holds; None for a plain key."""
    arguments = get_args(info.annotation)
    return arguments[0] if arguments and issubclass(arguments[0], BaseModel) else None


def allowed(info: FieldInfo) -> str:
    """Type and bounds."""
    rules = [f"{_SIGNS[at]} {getattr(rule, at)}" for rule in info.metadata for at in _SIGNS if hasattr(rule, at)]
    rules += [rule.pattern.strip("^$()") for rule in info.metadata if getattr(rule, "pattern", None)]
    kind = "list of tables" if listed(info) else getattr(info.annotation, "__name__", str(info.annotation))
    return ", ".join([kind, *rules]).replace("|", " or ")


def default(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if value == ():
        return "[]"
    return f'"{value}"' if isinstance(value, str | Path) else str(value)


def intro(model: type) -> str:
    """The docstring's text after "`[section]`:"."""
    text = inspect.getdoc(model) or ""
    sentence = text.partition(": ")[2]
    return sentence[:1].upper() + sentence[1:]


def comments() -> dict[tuple[str, str], str]:
    """The comment at the end of each field, by class and field."""
    found = {}
    for module in (settings, timetable):
        source = inspect.getsource(module)
        lines = source.splitlines()
        for node in (node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)):
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    rest = lines[(field.end_lineno or 1) - 1][field.end_col_offset or 0 :]
                    found[(node.name, field.target.id)] = rest.partition("#")[2].strip()
    return found


def test_the_page_shows_the_settings_of_the_code() -> None:
    text = _PAGE.read_text(encoding="utf-8")
    head, rest = text.split(_BEGIN)
    _, tail = rest.split(_END)
    expected = head + _BEGIN + table() + _END + tail
    if os.environ.get("UPDATE_DOCS"):
        _PAGE.write_text(expected, encoding="utf-8")
        text = expected
    assert text == expected, "run: UPDATE_DOCS=1 pytest tests/evertune/test_settings_page.py"


def test_every_section_and_key_is_in_the_table() -> None:
    shown = table()
    for name, field in Settings.model_fields.items():
        assert f"## `[{name}]`" in shown
        assert all(f"| `{key}` |" in shown for key in type(field.default).model_fields)
