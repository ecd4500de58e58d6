"""The few request headers that say something of the body."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from serve.asgi import Scope
from serve.errors import EncodingError

CONTENT_ENCODING = b"content-encoding"
JSON_BYTES = b"inference-header-content-length"
_OURS = frozenset({CONTENT_ENCODING, JSON_BYTES})

BodyHeaders = Mapping[bytes, bytes]
"""By name in lower case, as ASGI has them; empty for nearly every request."""

_NONE: BodyHeaders = MappingProxyType({})


def body_headers(scope: Scope) -> BodyHeaders:
    """Finds them, in one pass.

    Raises:
        EncodingError: One of them comes twice, which nobody could interpret.

    Example:
        >>> body_headers({"headers": [(b"host", b"here"), (b"content-encoding", b"gzip")]})
        {b'content-encoding': b'gzip'}
    """
    for name, _ in scope["headers"]:
        if name in _OURS:
            return _collect(scope)
    return _NONE


def _collect(scope: Scope) -> BodyHeaders:
    found = [(name, value) for name, value in scope["headers"] if name in _OURS]
    if len(dict(found)) < len(found):
        raise EncodingError("a header of the body comes twice", fix="Send each header once.")
    return dict(found)
