from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evertune.errors import InputError, TooLargeError
from serve.compression import decompress
from serve.errors import EncodingError
from serve.headers import CONTENT_ENCODING, special_headers
from serve.reply import Reply

Compress = Callable[[bytes], bytes]
WAYS: dict[bytes, Compress] = {b"gzip": gzip.compress, b"deflate": zlib.compress, b"x-gzip": gzip.compress}


def open_body(body: bytes, encoding: bytes, limit_bytes: int = 1000) -> bytes:
    return decompress(body, {CONTENT_ENCODING: encoding}, limit_bytes)


@given(st.sampled_from(list(WAYS)), st.binary(max_size=1000))
def test_what_was_compressed_comes_back(encoding: bytes, content: bytes) -> None:
    assert open_body(WAYS[encoding](content), encoding) == content


@pytest.mark.parametrize("encoding", [b"GZIP", b" gzip "])
def test_the_name_of_the_encoding_has_no_case(encoding: bytes) -> None:
    assert open_body(gzip.compress(b"{}"), encoding) == b"{}"


def test_a_body_that_is_not_compressed_is_left_alone() -> None:
    assert decompress(b"{}", {}, 10) == open_body(b"{}", b"identity") == b"{}"


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate"])
def test_the_limit_is_on_what_comes_out(encoding: bytes) -> None:
    assert len(open_body(WAYS[encoding](b"x" * 1000), encoding)) == 1000
    with pytest.raises(TooLargeError, match="decompressed body is over 1000 bytes"):
        open_body(WAYS[encoding](b"x" * 1001), encoding)


def test_a_bomb_takes_no_more_memory_than_the_limit() -> None:
    bomb = zlib.compress(bytes(200_000_000), 9)
    tracemalloc.start()
    with pytest.raises(TooLargeError):
        open_body(bomb, b"deflate", 1_000_000)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 3_000_000


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate"])
def test_damaged_bodies_are_refused(encoding: bytes) -> None:
    whole = WAYS[encoding](b"a body of some length, " * 20)
    changed = whole[:-6] + bytes([whole[-6] ^ 1]) + whole[-5:]
    for body in (whole[:-1], whole[:5], b"", b"{}", whole + b"more", whole + whole, changed):
        with pytest.raises(InputError):
            open_body(body, encoding)


@pytest.mark.parametrize("encoding", [b"br", b"zstd", b"gzip, gzip", b"", b"\xff"])
def test_other_encodings_are_told_which_are_read(encoding: bytes) -> None:
    with pytest.raises(EncodingError) as refused:
        open_body(b"{}", encoding)
    reply = Reply.error(refused.value)
    assert reply.status == 415
    assert (b"accept-encoding", b"gzip, deflate") in reply.headers


def test_a_header_that_comes_twice_is_refused() -> None:
    headers = [(b"content-encoding", b"gzip"), (b"host", b"here"), (b"content-encoding", b"gzip")]
    with pytest.raises(InputError):
        special_headers({"headers": headers})
