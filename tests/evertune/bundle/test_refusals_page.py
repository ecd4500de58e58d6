"""docs/bundle.md lists every refusal of the reader as it is in the code.

`UPDATE_DOCS=1 pytest tests/evertune/bundle/test_refusals_page.py` rewrites it.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

from tests.refusals import Module, cell

_ROOT = Path(__file__).parents[3]
_PAGE = _ROOT / "docs" / "bundle.md"
_BEGIN, _END = "<!-- refusals: begin -->\n", "<!-- refusals: end -->\n"
_GRAPH, _ALL = "model.onnx", "any file"
# Which file of a bundle a module reads, where a refusal does not name it.
_FILES = {
    "evertune/bundle/audit.py": _ALL,
    "evertune/bundle/bundle.py": "golden.json",
    "evertune/bundle/canonical.py": "any JSON",
    "evertune/bundle/confidence.py": "calibration.json",
    "evertune/bundle/extras.py": "beside the content",
    "evertune/bundle/folder.py": _ALL,
    "evertune/bundle/formats.py": "manifest.json",
    "evertune/bundle/golden.py": "golden.json",
    "evertune/bundle/graph/audit.py": _GRAPH,
    "evertune/bundle/graph/facts.py": _GRAPH,
    "evertune/bundle/graph/tensor.py": _GRAPH,
    "evertune/bundle/graph/wire.py": _GRAPH,
    "evertune/bundle/manifest.py": "manifest.json",
    "evertune/bundle/measurements.py": "measurements",
    "evertune/bundle/preprocessing.py": "preprocessing.json",
    "evertune/bundle/reference.py": "reference.json",
    "evertune/bundle/remote.py": _ALL,
    "evertune/bundle/specs.py": "manifest.json",
    "evertune/bundle/store.py": "the address",
    "evertune/bundle/trust.py": "signatures.json",
}


# Functions that give what is wrong as text, and what comes before it.
_PROBLEMS = {
    ("evertune/bundle/graph/audit.py", "_problems"): "",
    ("evertune/bundle/graph/tensor.py", "problem"): "has a tensor that ",
    ("evertune/bundle/graph/tensor.py", "_external_problem"): "has a tensor that ",
}
# Those that take their text from their callers, and what is about keys.
_NOT_OF_BUNDLES = {("evertune/bundle/canonical.py", "damaged"), ("evertune/bundle/trust.py", "_load")}


def table() -> str:
    """One row a thing that is refused, by the file that has it."""
    sources = [*(_ROOT / "evertune" / "bundle").rglob("*.py"), *(_ROOT / "evertune" / "preprocessing").glob("*.py")]
    rows = [row for path in sorted(sources) for row in refusals(path)]
    lines = [f"| {cell(file)} | {cell(problem)} | {cell(fix)} |" for file, problem, fix in dict.fromkeys(rows)]
    head = ["| what | refused because it | what to do |", "|---|---|---|"]
    return "\n".join([*head, *sorted(lines), ""])


def refusals(path: Path) -> Iterator[tuple[str, str, str]]:
    """File, problem and fix of each error that a module makes; without a fix it is the one of all damage."""
    module, name = Module(path), path.relative_to(_ROOT).as_posix()
    for call, function in module.calls("damaged", "BundleError", "ValueError", "_refuse", ".refuse"):
        if (name, function.name) in _NOT_OF_BUNDLES:
            continue
        *where, problem = (module.said(each, function) for each in call.args[:2])
        if says(problem):
            named = where[0] if where and says(where[0]) else file_of(name)
            yield named, problem, module.fix(call, function)
    if name == "evertune/bundle/graph/facts.py":
        for call, function in module.calls(".append"):
            if isinstance(call.args[0], ast.Constant):
                yield _GRAPH, f"holds {module.said(call.args[0], function)}", ""
    for value, function in module.given():
        if (name, function.name) in _PROBLEMS:
            text = module.said(value, function).removesuffix(" / None")
            if says(text) and text != "None":
                yield _GRAPH, _PROBLEMS[name, function.name] + text, ""


def says(text: str) -> bool:
    """Whether it is more than places for what is only known when it happens."""
    return any(letter.isalpha() for letter in text)


def file_of(name: str) -> str:
    """What a module reads; a new module must be told to `_FILES`."""
    return "preprocessing.json" if name.startswith("evertune/preprocessing/") else _FILES[name]


def test_the_page_lists_every_refusal_as_it_is_in_the_code() -> None:
    before, rest = _PAGE.read_text().split(_BEGIN)
    shown, after = rest.split(_END)
    if os.environ.get("UPDATE_DOCS"):
        _PAGE.write_text(before + _BEGIN + table() + _END + after)
        shown = table()
    assert shown == table()
    for what in ("graphs are nested over", "is a link", "links are refused", "to no data in"):
        assert what in shown
