"""Cuts out the shipped excerpt: `EVERTUNE_DATA=folder python -m examples.weather.make_excerpt`.

Running it again writes the same bytes.
"""

from __future__ import annotations

import csv
import io
import lzma
from pathlib import Path

from evertune.files import write_atomic
from examples.weather.task import MEASURED, days

FILE = Path(__file__).parent / "weather.csv.xz"
_ROWS = 6_000  # the first ones, sixteen years


def main() -> None:
    """Writes `weather.csv.xz` beside this file, values to three decimals."""
    found = io.StringIO()
    table = csv.writer(found, lineterminator="\n")
    table.writerow([*MEASURED, "rain"])
    measured = zip(*(days()[name] for name in MEASURED), strict=True)
    for row, rain in list(zip(measured, days()["rain"], strict=True))[:_ROWS]:
        table.writerow([*(f"{value:.3f}" for value in row), ("dry", "rain")[rain]])
    write_atomic(FILE, lzma.compress(found.getvalue().encode(), preset=9 | lzma.PRESET_EXTREME))


if __name__ == "__main__":
    main()
