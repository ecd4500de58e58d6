"""Frames of the spool: length and CRC before each record, so that a torn end is recognised."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

_FRAME = struct.Struct("<II")  # length of the payload, CRC-32 of it


def frame(payload: bytes) -> bytes:
    """The payload as it lies in the file."""
    return _FRAME.pack(len(payload), zlib.crc32(payload)) + payload


@dataclass(frozen=True)
class Contents:
    """What a spool file held.

    Attributes:
        payloads: Of all whole records.
        damage: None, or what is wrong after the last of them.
    """

    payloads: list[bytes]
    damage: str | None

    @property
    def torn(self) -> bool:
        """Whether the end is missing, as of a process that was killed while it wrote."""
        return self.damage is not None and self.damage.startswith("torn")


def read(path: Path) -> Contents:
    """Reads a spool file up to its end, or to the first record that is torn or changed.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "spool"
        >>> _ = path.write_bytes(frame(b"one") + frame(b"two")[:-1])
        >>> read(path)
        Contents(payloads=[b'one'], damage='torn record at byte 11')
    """
    data = path.read_bytes()
    payloads: list[bytes] = []
    offset = 0
    while offset < len(data):
        start = offset + _FRAME.size
        if start > len(data):
            return Contents(payloads, f"torn record at byte {offset}")
        length, checksum = _FRAME.unpack_from(data, offset)
        if start + length > len(data):
            return Contents(payloads, f"torn record at byte {offset}")
        payload = data[start : start + length]
        if zlib.crc32(payload) != checksum:
            return Contents(payloads, f"changed record at byte {offset}")
        payloads.append(payload)
        offset = start + length
    return Contents(payloads, None)
