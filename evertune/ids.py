"""Request ids (UUIDv7, RFC 9562) and row ids (`<request>:<row>`)."""

from __future__ import annotations

import os
import re
import time

from evertune.errors import InputError

_ROW_ID = re.compile(r"([0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}):(0|[1-9][0-9]{0,5})")


def new_request_id(now_seconds: float | None = None) -> str:
    """A UUIDv7: 48 bits of Unix milliseconds, then 74 random bits, so that ids sort by time.

    Args:
        now_seconds: Seconds since the epoch; the system clock where None.

    Returns:
        The canonical 36-character form.

    Example:
        >>> new_request_id(0.0)[:15]
        '00000000-0000-7'
    """
    milliseconds = int((time.time() if now_seconds is None else now_seconds) * 1000)
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | (0x7 << 76)  # version 7
    value = value & ~(0x3 << 62) | (0x2 << 62)  # variant of RFC 9562
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def new_request_ids(count: int, now_seconds: float) -> list[str]:
    """Many ids of one moment, for a fraction of the price of as many calls of `new_request_id`.

    Example:
        >>> [parse_row_id(f"{value}:0")[1] for value in new_request_ids(2, 1.5)]
        [0, 0]
    """
    milliseconds = f"{int(now_seconds * 1000):012x}"
    head = f"{milliseconds[:8]}-{milliseconds[8:]}-7"  # version 7
    digits = os.urandom(10 * count).hex()
    return [
        f"{head}{digits[at : at + 3]}-{_VARIANT[digits[at + 3]]}{digits[at + 4 : at + 7]}-{digits[at + 7 : at + 19]}"
        for at in range(0, 20 * count, 20)
    ]


_VARIANT = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}  # of RFC 9562: bits 10


def row_id(request_id: str, row: int) -> str:
    """The id under which a label for one row of a request arrives."""
    return f"{request_id}:{row}"


def parse_request_id(value: str) -> str:
    """Checks a request id that a client chose.

    Raises:
        InputError: The value is no UUIDv7 in canonical form.

    Example:
        >>> parse_request_id("01890a5d-ac96-774b-bcce-b302099a8057")
        '01890a5d-ac96-774b-bcce-b302099a8057'
    """
    if _ROW_ID.fullmatch(f"{value}:0") is None:
        raise InputError(
            f"request id {value[:80]!r} is no UUIDv7", fix="Send a new UUIDv7 in lower case, or none.", id=value[:80]
        )
    return value


def parse_row_id(value: str) -> tuple[str, int]:
    """Splits a row id into request id and row number.

    Raises:
        InputError: The value is not `<UUIDv7>:<row>`.

    Example:
        >>> parse_row_id("01890a5d-ac96-774b-bcce-b302099a8057:3")
        ('01890a5d-ac96-774b-bcce-b302099a8057', 3)
    """
    match = _ROW_ID.fullmatch(value)
    if match is None:
        raise InputError(
            f"row id {value[:80]!r} is malformed",
            fix="Send the id that the prediction returned: '<request id>:<row number>'.",
            id=value[:80],
        )
    return match.group(1), int(match.group(2))
