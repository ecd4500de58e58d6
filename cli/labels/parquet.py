"""pyarrow, which only Parquet files need."""

from __future__ import annotations

from typing import Any

from evertune.errors import InputError


def pyarrow_parquet() -> tuple[Any, Any]:
    """The modules `pyarrow` and `pyarrow.parquet`.

    Raises:
        InputError: pyarrow is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise InputError(
            "Parquet files need pyarrow, which is not installed",
            fix="Run `pip install pyarrow` (or install evertune[parquet]), or use CSV or JSON lines.",
        ) from error
    return pyarrow, pyarrow.parquet
