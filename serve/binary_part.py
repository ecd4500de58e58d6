"""What follows the JSON of a body: the binary tensors, in the order of the inputs."""

from __future__ import annotations

from typing import Any

from evertune.binary import from_binary
from evertune.errors import InputError
from evertune.tensors import Array
from serve.headers import JSON_BYTES, Special

_HEADER = "Inference-Header-Content-Length"


class BinaryPart:
    """Hands out the bytes of one tensor after the other.

    Args:
        data: All bytes after the JSON.
    """

    def __init__(self, data: memoryview) -> None:
        self._data = data

    def take(self, size_bytes: Any, dtype: str, shape: list[int], name: str) -> Array:
        """The next tensor.

        Args:
            size_bytes: The parameter `binary_data_size`, unchecked.
            dtype: numpy name.
            shape: Checked sizes.
            name: Of the tensor.

        Raises:
            InputError: The size is no whole number, does not fit the shape, or goes beyond the body.
        """
        if type(size_bytes) is not int or size_bytes < 0:
            raise InputError(
                f"binary_data_size of tensor {name!r} is {str(size_bytes)[:40]!r}", fix="Send a number of bytes."
            )
        if size_bytes > len(self._data):
            raise InputError(
                f"tensor {name!r} has a binary_data_size of {size_bytes}, but {len(self._data)} bytes are left",
                fix=f"Send all bytes of the tensor after the JSON, and the JSON's length as {_HEADER}.",
                name=name,
            )
        data, self._data = self._data[:size_bytes], self._data[size_bytes:]
        return from_binary(data, dtype, shape, name)

    def end(self) -> None:
        """Called after the last tensor.

        Raises:
            InputError: Bytes are left.
        """
        if len(self._data):
            raise InputError(
                f"{len(self._data)} bytes follow the last tensor",
                fix=f"Send the length of the JSON as {_HEADER}, and 'binary_data_size' with each binary tensor.",
            )


def split_body(body: bytes, headers: Special) -> tuple[bytes, BinaryPart | None]:
    """Parts the JSON of a body from the tensors behind it.

    Returns:
        The JSON, and what follows it; None where the header that says its length is missing.

    Raises:
        InputError: The header is no number, or more than the body has.

    Example:
        >>> split_body(b"{}...", {JSON_BYTES: b"2"})[0]
        b'{}'
    """
    if JSON_BYTES not in headers:
        return body, None
    text = headers[JSON_BYTES].decode("latin-1").strip()
    length = int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else -1
    if not 0 <= length <= len(body):
        raise InputError(
            f"{_HEADER} is {text[:40]!r}, the body has {len(body)} bytes", fix="Send the length of the JSON in bytes."
        )
    return body[:length], BinaryPart(memoryview(body)[length:])
