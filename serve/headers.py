"""The few request headers that say something of the body."""

from __future__ import annotations

from serve.asgi import Scope
from serve.errors import EncodingError

CONTENT_ENCODING = b"content-encoding"
JSON_BYTES = b"inference-header-content-length"
_OURS = frozenset({CONTENT_ENCODING, JSON_BYTES})

BodyHeaders = dict[bytes, bytes]
"""By name in lower case, as ASGI has them; empty for nearly every request."""


def body_headers(scope: Scope) -> BodyHeaders:
    """Finds them, in one pass.

    Raises:
        EncodingError: One of them comes twice, which nobody could interpret.

    Example:
        >>> body_headers({"headers": [(b"host", b"here"), (b"content-encoding", b"gzip")]})
        {b'content-encoding': b'gzip'}
    """
    found = [header for header in scope["headers"] if header[0] in _OURS]
    if not found:
        return {}
    headers = {name: value for name, value in found}
    if len(headers) < len(found):
        raise EncodingError("a header of the body comes twice", fix="Send each header once.")
    return headers
