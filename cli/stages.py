"""What a long command is doing, on stderr."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


@contextmanager
def stage(doing: str) -> Iterator[None]:
    """Shows a spinner on a terminal while the block runs, and a line with the seconds once it has ended well.

    Args:
        doing: Such as "reading the task's rows".
    """
    console, start = Console(stderr=True), time.monotonic()
    with console.status(doing):
        yield
    console.print(f"{doing}: {time.monotonic() - start:.1f} s", highlight=False, markup=False)
