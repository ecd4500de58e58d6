"""API keys: shown once, kept as hashes, checked in constant time."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import logging
import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from evertune.clock import Clock, system_clock
from evertune.errors import AuthError, InputError, SettingsError
from evertune.files import write_atomic

_log = logging.getLogger(__name__)

Role = Literal["predict", "label", "admin"]
ROLES: tuple[str, ...] = get_args(Role)

_LOOK_SECONDS = 1.0  # a revoked key works at most so much longer
_NOBODY = "0" * 64  # what an unknown id is compared with, so that it takes as long as a wrong secret


@dataclass(frozen=True)
class Key:
    """Who may do what.

    Attributes:
        id: Public part, 12 hex digits; stands in the ledger beside predictions and labels.
        name: For people.
        roles: What it opens.
        sha256: Of the whole secret. It has 256 random bits, so a plain hash cannot be searched.
        created_at: Seconds since the epoch.
        revoked_at: Seconds since the epoch; None while it is good.
    """

    id: str
    name: str
    roles: frozenset[str]
    sha256: str
    created_at: float
    revoked_at: float | None = None


class Keyring:
    """The keys of a project, in one JSON file. Safe for many threads and processes.

    Args:
        path: Of the file; it need not exist.
        clock: Gives the times that are written down.
        monotonic: Paces the looks at the file.
    """

    def __init__(self, path: Path, *, clock: Clock = system_clock, monotonic: Clock = time.monotonic) -> None:
        self.path = path
        self._clock = clock
        self._monotonic = monotonic
        self._loading = threading.Lock()
        self._keys: dict[str, Key] = {}
        self._stamp: tuple[int, int, int] | None = None
        self._looked_at = float("-inf")

    def create(self, name: str, roles: Iterable[str]) -> str:
        """Adds a key.

        Returns:
            The secret `ek_<id>_<random>`. It is kept nowhere: show it once.

        Raises:
            InputError: The name is empty, or a role is unknown.
        """
        wanted = frozenset(roles)
        if not name or not wanted or wanted - set(ROLES):
            raise InputError(
                f"a key needs a name and roles, got {name!r} and {sorted(wanted)}", fix=f"Roles are {', '.join(ROLES)}."
            )
        key_id = secrets.token_hex(6)
        secret = f"ek_{key_id}_{secrets.token_urlsafe(32)}"
        with self._changing() as keys:
            keys[key_id] = Key(key_id, name, wanted, _hash(secret), self._clock())
        return secret

    def revoke(self, key_id: str) -> Key:
        """Makes a key useless, for good; running servers notice within a second.

        Raises:
            InputError: There is no such key.
        """
        with self._changing() as keys:
            if key_id not in keys:
                raise InputError(f"there is no key {key_id[:80]!r}", fix=f"Known ids: {', '.join(keys) or 'none'}.")
            if keys[key_id].revoked_at is None:
                keys[key_id] = replace(keys[key_id], revoked_at=self._clock())
            return keys[key_id]

    def list(self) -> list[Key]:
        """All keys, revoked ones too, the oldest first."""
        self._refresh(at_once=True)
        return list(self._keys.values())

    def verify(self, presented: str | None, role: Role) -> Key:
        """Finds the key behind what a client sent.

        Args:
            presented: The secret, without "Bearer "; None or empty where the client sent nothing.
            role: What the request needs; "admin" opens everything.

        Raises:
            AuthError: No key, an unknown or revoked one, or one without the role.
        """
        self._refresh()
        if not presented:
            raise AuthError("the request has no API key", fix="Send the header 'Authorization: Bearer ek_...'.")
        if presented[3:15] not in self._keys:
            self._refresh(at_once=True)  # a key may be used in the second in which it was made
        key = self._keys.get(presented[3:15])
        matches = hmac.compare_digest(_hash(presented), key.sha256 if key else _NOBODY)
        if key is None or not matches or key.revoked_at is not None:
            raise AuthError("the API key is unknown or revoked", fix="Ask the operator of this service for a new key.")
        if role not in key.roles and "admin" not in key.roles:
            raise AuthError(
                f"API key {key.id} lacks the role {role!r}; it has {', '.join(sorted(key.roles))}",
                fix=f"Ask the operator of this service for a key with the role {role!r}.",
                role=role,
            )
        return key

    def _refresh(self, *, at_once: bool = False) -> None:
        now = self._monotonic()
        if not at_once and now - self._looked_at < _LOOK_SECONDS:
            return
        with self._loading:
            self._looked_at = now
            stamp = self._stat()
            if stamp != self._stamp:
                self._load(stamp)

    def _load(self, stamp: tuple[int, int, int] | None) -> None:
        try:
            self._keys = _read(self.path)
        except SettingsError:
            if self._stamp is None:
                raise
            _log.exception("keeping the API keys of before")  # a slip of the editor must not lock everybody out
        self._stamp = stamp

    def _stat(self) -> tuple[int, int, int] | None:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        return status.st_mtime_ns, status.st_ino, status.st_size

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Key]]:
        """The keys as they are on disk now; what was changed is written, one process after the other."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path.with_name(f".{self.path.name}.lock"), "ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            keys = _read(self.path)
            yield keys
            content = {"keys": [vars(key) | {"roles": sorted(key.roles)} for key in keys.values()]}
            write_atomic(self.path, json.dumps(content, indent=1).encode())
        self._refresh(at_once=True)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _read(path: Path) -> dict[str, Key]:
    try:
        content: dict[str, Any] = json.loads(path.read_bytes())
        keys = [Key(**{**entry, "roles": frozenset(entry["roles"])}) for entry in content["keys"]]
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{path} is no key file: {error}", fix="Restore it from a backup, or delete it and create new keys."
        ) from error
    return {key.id: key for key in keys}
