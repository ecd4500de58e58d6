from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from evertune.errors import AuthError, InputError, SettingsError
from evertune.keys import Keyring

_CREATE = """
import sys
from pathlib import Path
from evertune.keys import Keyring
for i in range(20):
    Keyring(Path(sys.argv[1])).create(f"{sys.argv[2]} {i}", {"predict"})
"""


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
    return Keyring(tmp_path / "state" / "keys.json", clock=lambda: 5.0, monotonic=pace)


def test_a_key_opens_what_its_roles_say_and_no_more(keyring: Keyring) -> None:
    secret = keyring.create("web shop", {"predict"})
    key = keyring.verify(secret, "predict")
    assert (key.name, key.roles, key.created_at) == ("web shop", frozenset({"predict"}), 5.0)
    assert secret.startswith(f"ek_{key.id}_")
    with pytest.raises(AuthError, match=rf"{key.id} lacks the role 'label'; it has predict"):
        keyring.verify(secret, "label")


def test_admin_opens_everything(keyring: Keyring) -> None:
    secret = keyring.create("me", {"admin"})
    assert keyring.verify(secret, "label").roles == {"admin"}


def test_secrets_are_not_in_the_file_and_the_file_is_private(keyring: Keyring) -> None:
    secret = keyring.create("web shop", {"predict", "label"})
    assert secret.split("_", 2)[2] not in keyring.path.read_text()
    assert keyring.path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("presented", ["", None])
def test_a_request_without_a_key_hears_how_to_send_one(keyring: Keyring, presented: str | None) -> None:
    with pytest.raises(AuthError, match="Authorization: Bearer ek_"):
        keyring.verify(presented, "predict")


def test_every_changed_character_is_refused(keyring: Keyring) -> None:
    secret = keyring.create("web shop", {"predict"})
    for position in range(len(secret)):
        other = "A" if secret[position] != "A" else "B"
        with pytest.raises(AuthError, match="unknown or revoked"):
            keyring.verify(secret[:position] + other + secret[position + 1 :], "predict")
    for bad in ("ek_", "x", secret + "x", secret[:-1], "ek_\ud800", "é" * 5000, "\0"):
        with pytest.raises(AuthError, match="unknown or revoked"):
            keyring.verify(bad, "predict")


def test_a_revoked_key_is_refused_at_once_here_and_within_a_second_elsewhere(keyring: Keyring, pace: Pace) -> None:
    secret = keyring.create("web shop", {"predict"})
    elsewhere = Keyring(keyring.path, monotonic=pace)
    key = elsewhere.verify(secret, "predict")
    assert keyring.revoke(key.id).revoked_at == 5.0
    with pytest.raises(AuthError, match="revoked"):
        keyring.verify(secret, "predict")
    pace.now += 0.9
    assert elsewhere.verify(secret, "predict")
    pace.now += 0.2
    with pytest.raises(AuthError, match="revoked"):
        elsewhere.verify(secret, "predict")
    assert [found.revoked_at for found in elsewhere.list()] == [5.0]


def test_a_new_key_works_at_once_in_a_server_that_started_without_any(keyring: Keyring, pace: Pace) -> None:
    server = Keyring(keyring.path, monotonic=pace)
    with pytest.raises(AuthError, match="unknown"):
        server.verify("ek_000000000000_x", "predict")
    secret = keyring.create("web shop", {"predict"})
    assert server.verify(secret, "predict").name == "web shop"


def test_keys_made_by_two_processes_at_once_are_all_kept(keyring: Keyring) -> None:
    children = [subprocess.Popen([sys.executable, "-c", _CREATE, str(keyring.path), name]) for name in "ab"]
    assert [child.wait(timeout=60) for child in children] == [0, 0]
    assert len({key.id for key in keyring.list()}) == 40


def test_unknown_roles_and_ids_are_named(keyring: Keyring) -> None:
    for name, roles in (("x", {"cook"}), ("x", set()), ("", {"predict"})):
        with pytest.raises(InputError, match="Roles are predict, label, admin"):
            keyring.create(name, roles)
    with pytest.raises(InputError, match="no key 'nope'"):
        keyring.revoke("nope")
    assert not keyring.path.exists()


def test_a_broken_file_is_named_at_start_and_does_not_lock_out_a_running_server(
    keyring: Keyring, pace: Pace, caplog: pytest.LogCaptureFixture
) -> None:
    secret = keyring.create("web shop", {"predict"})
    keyring.path.write_text("{not json")
    pace.now += 2
    assert keyring.verify(secret, "predict")
    assert "keeping the API keys" in caplog.text
    with pytest.raises(SettingsError, match=rf"{keyring.path} is no key file"):
        Keyring(keyring.path).verify(secret, "predict")


def test_no_scratch_files_are_left(keyring: Keyring) -> None:
    keyring.create("a", {"predict"})
    keyring.create("b", {"predict"})
    assert sorted(os.listdir(keyring.path.parent)) == [".keys.json.lock", "keys.json"]
