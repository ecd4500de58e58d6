"""`python -m benchmarks.coverage`: runs the cells one after the other and writes the page."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks._machine import machine
from benchmarks.coverage.cell import CELLS, Cell
from benchmarks.coverage.page import page
from benchmarks.coverage.walk import walk
from evertune.errors import EvertuneError

_EXAMPLE = "example: python -m benchmarks.coverage --only torch.tabular --output /tmp/coverage.md"


def main() -> int:
    """Exit code 1 where a cell failed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.coverage",
        description="Every framework on every domain through the whole loop; about 10 minutes on 2 cores. "
        "Data comes from EVERTUNE_DATA, else it is downloaded.",
        epilog=_EXAMPLE,
    )
    names = [cell.name for cell in CELLS if cell.reason is None]
    parser.add_argument("--only", action="append", choices=names, help="a cell; may be given again")
    parser.add_argument("--output", type=Path, default=Path("docs/coverage.md"), help="default: docs/coverage.md")
    parser.add_argument("--logs", type=Path, help="where the projects stay; by default they are removed")
    options = parser.parse_args()
    chosen = [cell for cell in CELLS if cell.name in (options.only or names)]
    with tempfile.TemporaryDirectory() as folder:
        found = {cell.name: _run(cell, (options.logs or Path(folder)) / cell.name) for cell in chosen}
    options.output.write_text(page(found, machine()), encoding="utf-8")
    failed = [name for name, result in found.items() if "error" in result]
    print(json.dumps({"cells": len(found), "failed": failed, "page": str(options.output), "results": found}))
    return 1 if failed else 0


def _run(cell: Cell, folder: Path) -> dict[str, Any]:
    print(f"{cell.name} ...", end=" ", file=sys.stderr, flush=True)
    try:
        result = walk(cell, folder)
    except EvertuneError as error:
        print(f"failed: {error}", file=sys.stderr)
        return {"error": str(error)}
    print(f"{result['outcome']} after {result['seconds']:.0f} s", file=sys.stderr)
    return result


if __name__ == "__main__":
    sys.exit(main())
