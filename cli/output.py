"""How commands speak: results on stdout, errors and progress on stderr, JSON where a program listens."""

from __future__ import annotations

import getpass
import json
import sys
import time
from typing import Any

from evertune.errors import EvertuneError


def print_json(value: Any) -> None:
    """Prints `value` as one JSON document."""
    print(json.dumps(value, indent=2, default=str))


def print_error(error: EvertuneError, *, as_json: bool) -> None:
    """Says what was wrong and what to do."""
    if as_json:
        print_json(error.to_json())
        return
    print(f"error: {error.message}", file=sys.stderr)
    if error.fix:
        print(f"  fix: {error.fix}", file=sys.stderr)


def local_time(seconds: float) -> str:
    """A moment, given in seconds since the epoch, for people.

    Example:
        >>> len(local_time(0.0))
        19
    """
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def actor() -> str:
    """Who runs the command, for the registry's history."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user without a name
        return "unknown"
