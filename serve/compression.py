"""Compressed bodies, without a way to fill the memory."""

from __future__ import annotations

import zlib

from evertune.errors import InputError, TooLargeError
from serve.errors import EncodingError
from serve.headers import CONTENT_ENCODING, Special

_WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}  # zlib's; HTTP's deflate is a zlib stream (RFC 9110, 8.4.1)


def decompress(body: bytes, headers: Special, limit_bytes: int) -> bytes:
    """The body as it was before compression.

    Args:
        body: As received.
        headers: Of the request.
        limit_bytes: Most bytes that come out; nothing beyond is even decompressed.

    Raises:
        EncodingError: Compressed in a way that is not supported.
        TooLargeError: More would come out.
        InputError: Damaged or cut short, or something follows the compressed body.

    Example:
        >>> decompress(zlib.compress(b"{}"), {b"content-encoding": b"deflate"}, 10)
        b'{}'
    """
    encoding = headers.get(CONTENT_ENCODING, b"identity").decode("latin-1").strip().lower()
    if encoding == "identity":
        return body
    if encoding not in _WINDOW_BITS:
        raise EncodingError(
            f"content encoding {encoding[:40]!r} is not supported", fix="Send gzip, deflate, or the body as it is."
        )
    stream = zlib.decompressobj(_WINDOW_BITS[encoding])
    try:
        content = stream.decompress(body, limit_bytes + 1)
    except zlib.error as error:
        raise InputError(f"the body is not {encoding}: {error}", fix=f"Compress it with {encoding}.") from None
    if len(content) > limit_bytes:
        raise TooLargeError(
            f"the decompressed body is over {limit_bytes} bytes",
            fix="Send fewer rows a request, or raise serve.max_body_bytes.",
            limit_bytes=limit_bytes,
        )
    if not stream.eof or stream.unused_data:
        problem = "something follows the" if stream.eof else "the body ends within the"
        raise InputError(f"{problem} {encoding} data", fix="Send one whole compressed body.")
    return content
