from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evertune.errors import InputError
from evertune.ids import new_request_id, parse_row_id, row_id


@given(st.floats(0, 2**48 / 1000 - 1, allow_nan=False), st.integers(0, 999_999))
def test_ids_are_uuid7_of_their_time_and_row_ids_come_apart_again(seconds: float, row: int) -> None:
    request_id = new_request_id(seconds)
    parsed = uuid.UUID(request_id)
    assert (str(parsed), parsed.version, parsed.variant) == (request_id, 7, uuid.RFC_4122)
    assert parsed.int >> 80 == int(seconds * 1000)
    assert parse_row_id(row_id(request_id, row)) == (request_id, row)


def test_ids_sort_by_time_and_do_not_repeat() -> None:
    ids = [new_request_id(seconds) for seconds in (1.0, 1.5, 2.0, 1e9)]
    assert sorted(ids) == ids
    assert len({new_request_id(5.0) for _ in range(1000)}) == 1000


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "3",
        "01890a5d-ac96-774b-bcce-b302099a8057",
        "01890a5d-ac96-774b-bcce-b302099a8057:",
        "01890a5d-ac96-774b-bcce-b302099a8057:-1",
        "01890a5d-ac96-774b-bcce-b302099a8057:01",
        "01890a5d-ac96-774b-bcce-b302099a8057:1000000",
        "01890a5d-ac96-774b-bcce-b302099a8057:1\n",
        "01890a5d-ac96-474b-bcce-b302099a8057:1",
        "01890A5D-AC96-774B-BCCE-B302099A8057:1",
        "x" * 10_000,
    ],
)
def test_malformed_row_ids_are_quoted_in_short(bad: str) -> None:
    with pytest.raises(InputError, match="malformed") as raised:
        parse_row_id(bad)
    assert len(str(raised.value)) < 300
