"""Draws the shipped excerpt: `EVERTUNE_DATA=folder python -m examples.sms_spam.make_excerpt`.

Running it again writes the same bytes.
"""

from __future__ import annotations

import csv
import io
import lzma
from pathlib import Path

from evertune.files import write_atomic
from examples.sms_spam.task import messages

FILE = Path(__file__).parent / "messages.csv.xz"
_ROWS = 3_000


def main() -> None:
    """Writes `messages.csv.xz` beside this file."""
    found = io.StringIO()
    table = csv.writer(found, lineterminator="\n")
    table.writerow(["label", "text"])
    table.writerows(list(zip(messages()["label"], messages()["text"], strict=True))[:_ROWS])
    write_atomic(FILE, lzma.compress(found.getvalue().encode(), preset=9 | lzma.PRESET_EXTREME))


if __name__ == "__main__":
    main()
