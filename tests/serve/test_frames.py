from __future__ import annotations

from pathlib import Path

from serve import frames

PAYLOADS = [b"one", b"", b"three" * 100]
WHOLE = b"".join(map(frames.frame, PAYLOADS))
ENDS = [11, 19, 527]


def test_what_was_written_is_read(tmp_path: Path) -> None:
    (tmp_path / "spool").write_bytes(WHOLE)
    assert frames.read(tmp_path / "spool") == frames.Contents(PAYLOADS, None)


def test_wherever_it_is_torn_all_whole_records_before_are_read(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    for length in range(len(WHOLE)):
        path.write_bytes(WHOLE[:length])
        contents = frames.read(path)
        whole = sum(end <= length for end in ENDS)
        assert contents.payloads == PAYLOADS[:whole]
        assert contents.torn == (length not in (0, *ENDS)), length


def test_a_changed_byte_of_a_payload_is_noticed_and_is_no_torn_end(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    for place in (8, 10, 27, len(WHOLE) - 1):
        damaged = bytearray(WHOLE)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        contents = frames.read(path)
        assert contents.damage is not None
        assert contents.damage.startswith("changed record")
        assert not contents.torn
        assert contents.payloads == PAYLOADS[: sum(end <= place for end in ENDS)]
