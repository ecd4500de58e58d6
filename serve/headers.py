"""The few request headers that matter beside the key's."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from evertune.errors import InputError
from evertune.ids import parse_request_id
from serve.asgi import Scope

CONTENT_ENCODING = b"content-encoding"
JSON_BYTES = b"inference-header-content-length"
IDEMPOTENCY_KEY = b"idempotency-key"
_OURS = frozenset({CONTENT_ENCODING, JSON_BYTES, IDEMPOTENCY_KEY})

Special = Mapping[bytes, bytes]
"""By name in lower case, as ASGI has them; empty for nearly every request."""

_NONE: Special = MappingProxyType({})


def special_headers(scope: Scope) -> Special:
    """Finds them, in one pass.

    Raises:
        InputError: One of them comes twice, which nobody could interpret.

    Example:
        >>> special_headers({"headers": [(b"host", b"here"), (b"content-encoding", b"gzip")]})
        {b'content-encoding': b'gzip'}
    """
    for name, _ in scope["headers"]:
        if name in _OURS:
            return _collect(scope)
    return _NONE


def _collect(scope: Scope) -> Special:
    found = [(name, value) for name, value in scope["headers"] if name in _OURS]
    if len(dict(found)) < len(found):
        raise InputError("a header of the request comes twice", fix="Send each header once.")
    return dict(found)


def request_id(headers: Special) -> str | None:
    """The id under which the client wants the prediction recorded; None where it does not care.

    The ledger keeps the first record of an id: a request that is sent again with its id, because its answer was lost,
    counts once, whichever worker answers.

    Raises:
        InputError: No UUIDv7.
    """
    value = headers.get(IDEMPOTENCY_KEY)
    return None if value is None else parse_request_id(value.decode("latin-1").strip(' "'))
