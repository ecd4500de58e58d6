"""Who may come in: API keys and their roles."""

from __future__ import annotations

import time
from collections.abc import Callable

from evertune.errors import AuthError
from evertune.keys import Keyring, Role
from serve.asgi import Scope

_REMEMBER_SECONDS = 0.1  # a revoked key is good for so much longer than the keyring's own second
_REMEMBER_KEYS = 1000


class Door:
    """Checks the key of a request.

    A header that was good a moment ago is looked up as it is, in a dictionary: found by a hash under a key
    that Python draws anew for each process, so the time tells nothing about near misses. All others are compared by
    `Keyring.verify`, in constant time.

    Args:
        keyring: None lets anyone in.
        monotonic: Seconds.
    """

    def __init__(self, keyring: Keyring | None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._keyring, self._monotonic = keyring, monotonic
        self._known: dict[tuple[Role, bytes], tuple[str, float]] = {}

    def enter(self, scope: Scope, role: Role) -> str:
        """The id of the caller's key; empty where keys are not required.

        Raises:
            AuthError: No key, an unknown one, or one without the role. Says how to get one.
        """
        if self._keyring is None:
            return ""
        header, value = _presented(scope)
        known = self._known.get((role, value))
        now = self._monotonic()
        if known is not None and now < known[1]:
            return known[0]
        key_id = self._keyring.verify(_secret(header, value), role).id
        if len(self._known) >= _REMEMBER_KEYS:
            self._known.clear()
        self._known[role, value] = (key_id, now + _REMEMBER_SECONDS)
        return key_id


def _presented(scope: Scope) -> tuple[bytes, bytes]:
    for name, value in scope["headers"]:
        if name == b"authorization" or name == b"x-api-key":
            return name, value
    return b"", b""


def _secret(header: bytes, value: bytes) -> str:
    scheme, _, secret = value.partition(b" ")
    if header == b"authorization" and scheme.lower() != b"bearer":
        raise AuthError("the Authorization header is not a bearer token", fix="Send 'Authorization: Bearer ek_...'.")
    return (secret if header == b"authorization" else value).strip().decode("latin-1")
