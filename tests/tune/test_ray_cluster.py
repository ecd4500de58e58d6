from __future__ import annotations

import sys

import pytest

from evertune.errors import SearchError
from tune.ray_cluster import join, ray_module


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("127.0.0.1:1", "no Ray cluster answers at tune.ray_address = '127.0.0.1:1': .*refused"),
        ("head:", "no Ray cluster answers at tune.ray_address = 'head:'"),
        ("ray://head:10001", "an address of Ray Client, over which no search runs"),
    ],
)
def test_an_address_at_which_no_search_can_run_is_refused_at_once(address: str, message: str) -> None:
    with pytest.raises(SearchError, match=message):
        join(address)


def test_where_ray_is_missing_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SearchError, match="Ray is not installed") as caught:
        ray_module()
    assert "evertune[ray]" in str(caught.value.fix)
