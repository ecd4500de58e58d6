"""Who may come in: API keys and their roles."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

from evertune.errors import AuthError
from evertune.keys import Keyring
from serve.asgi import Scope

_REMEMBER_SECONDS = 1.0  # a revoked key is refused after this long at most
_REMEMBER_KEYS = 1000


class Door:
    """Checks the key of a request.

    A key that was good less than a second ago is known again by its SHA-256, so that the comparison of secrets itself
    stays in `Keyring.verify`, in constant time, and the hot path costs a hash and a lookup.

    Args:
        keyring: None lets anyone in.
        monotonic: Seconds.
    """

    def __init__(self, keyring: Keyring | None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._keyring, self._monotonic = keyring, monotonic
        self._known: dict[tuple[bytes, str], tuple[str, float]] = {}

    def enter(self, scope: Scope, role: str) -> str:
        """The id of the caller's key; empty where keys are not required.

        Raises:
            AuthError: No key, an unknown one, or one without the role. Says how to get one.
        """
        if self._keyring is None:
            return ""
        secret = _presented(scope)
        if secret is None:
            raise AuthError(
                "the request has no API key",
                fix=f"Send 'Authorization: Bearer ek_...'. A key comes from `evertune keys create NAME --role {role}`.",
            )
        now = self._monotonic()
        mark = (hashlib.sha256(secret).digest(), role)
        known = self._known.get(mark)
        if known is not None and now < known[1]:
            return known[0]
        key_id = self._keyring.verify(secret.decode("latin-1"), role).id
        if len(self._known) >= _REMEMBER_KEYS:
            self._known.clear()
        self._known[mark] = (key_id, now + _REMEMBER_SECONDS)
        return key_id


def _presented(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, secret = bytes(value).partition(b" ")
            return secret.strip() if scheme.lower() == b"bearer" else None
        if name == b"x-api-key":
            return bytes(value)
    return None
