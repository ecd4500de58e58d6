from __future__ import annotations

from pathlib import Path

import pytest

from evertune.errors import AuthError
from evertune.keys import Keyring
from serve.asgi import Scope
from serve.door import Door


class Pace:
    """A monotonic clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def pace() -> Pace:
    return Pace()


@pytest.fixture
def keyring(tmp_path: Path, pace: Pace) -> Keyring:
    return Keyring(tmp_path / "keys.json", monotonic=pace)


@pytest.fixture
def door(keyring: Keyring, pace: Pace) -> Door:
    return Door(keyring, pace)


def scope(**headers: str) -> Scope:
    named = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {"headers": [(b"host", b"here"), *named]}


def test_both_headers_open_and_the_caller_is_known_by_id(door: Door, keyring: Keyring) -> None:
    secret = keyring.create("shop", {"predict"})
    for one in (
        scope(authorization=f"Bearer {secret}"),
        scope(authorization=f"bEARER  {secret} "),
        scope(x_api_key=secret),
    ):
        for _ in range(2):  # read, and remembered
            assert door.enter(one, "predict") == secret[3:15]


def test_what_is_remembered_for_one_role_does_not_open_another(door: Door, keyring: Keyring) -> None:
    secret = keyring.create("shop", {"predict"})
    door.enter(scope(x_api_key=secret), "predict")
    with pytest.raises(AuthError, match="label"):
        door.enter(scope(x_api_key=secret), "label")


@pytest.mark.parametrize(
    ("headers", "mentioned"),
    [
        ({}, "no API key"),
        ({"authorization": "Basic dXNlcjpwYXNz"}, "not a bearer token"),
        ({"authorization": "Bearer"}, "no API key"),
        ({"authorization": "ek_0123456789ab_x"}, "not a bearer token"),
        ({"x_api_key": "ek_0123456789ab_x"}, "unknown or revoked"),
        ({"x_api_key": "\xff\xfe"}, "unknown or revoked"),
    ],
)
def test_others_stay_outside(door: Door, headers: dict[str, str], mentioned: str) -> None:
    with pytest.raises(AuthError, match=mentioned):
        door.enter(scope(**headers), "predict")


def test_a_revoked_key_is_refused_little_more_than_a_second_later(
    tmp_path: Path, pace: Pace, door: Door, keyring: Keyring
) -> None:
    secret = keyring.create("shop", {"predict"})
    pace.now = 0.99
    door.enter(scope(x_api_key=secret), "predict")
    Keyring(tmp_path / "keys.json").revoke(secret[3:15])
    pace.now = 1.1
    with pytest.raises(AuthError, match="revoked"):
        door.enter(scope(x_api_key=secret), "predict")


def test_what_is_remembered_does_not_grow_for_ever(door: Door, keyring: Keyring) -> None:
    secret = keyring.create("shop", {"predict"})
    for spaces in range(3000):
        door.enter(scope(authorization=f"Bearer {secret}{' ' * spaces}"), "predict")
    assert len(door._known) <= 1000


def test_without_a_keyring_anyone_may_come_in() -> None:
    assert Door(None).enter(scope(), "label") == ""
