"""JSON with exactly one spelling, so that equal content has equal bytes and one hash."""

from __future__ import annotations

import json
from typing import Any

from evertune.errors import BundleError

# Far above any honest file of a bundle except the model; stops a hostile one before it is parsed.
MOST_BYTES = 64_000_000


def to_canonical(data: Any) -> bytes:
    """Sorted keys, no spaces, UTF-8, finite numbers only.

    Example:
        >>> to_canonical({"b": 1.5, "a": ["x"]})
        b'{"a":["x"],"b":1.5}'
    """
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def from_canonical(content: bytes, name: str) -> dict[str, Any]:
    """Parses a JSON object and refuses every other spelling of it.

    Args:
        content: The file's bytes.
        name: Of the file, for the message.

    Raises:
        BundleError: Not JSON, not an object, or not canonical (repeated keys, NaN, spaces).
    """
    try:
        if len(content) > MOST_BYTES:
            raise ValueError(f"{len(content)} bytes are too many")
        data = json.loads(content)
        if not isinstance(data, dict):
            raise ValueError("not an object")
        if to_canonical(data) != content:
            raise ValueError("not canonical")
    except (ValueError, RecursionError) as error:
        raise damaged(name, f"is not canonical JSON ({str(error)[:200]})") from error
    return data


def finite(value: Any) -> float:
    """A JSON number as float.

    Raises:
        ValueError: It is of another type.
        OverflowError: It is an integer that no float can hold.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{repr(value)[:80]} is no number")
    return float(value)


def count(value: Any) -> int:
    """A JSON number of things.

    Raises:
        ValueError: It is of another type, below zero, or more than a float counts exactly.
    """
    if type(value) is not int or not 0 <= value <= 1 << 53:
        raise ValueError(f"{repr(value)[:80]} is no number of rows")
    return value


def damaged(name: str, problem: str) -> BundleError:
    """The error for one bad file of a bundle."""
    fix = "Fetch the bundle again, or export it again; the champion in use is not affected."
    shown = name[:200].encode("utf-8", "backslashreplace").decode()  # names on a disk need not be UTF-8
    return BundleError(f"bundle file {shown} {problem}", fix=fix, file=shown)
