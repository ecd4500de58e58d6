"""One call of the server, as both clients make it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import httpx

Result = TypeVar("Result")


@dataclass(frozen=True)
class Call(Generic[Result]):
    """A request that may be sent any number of times, and the reading of its answer.

    Attributes:
        method: Of HTTP.
        path: Below the server's URL.
        read: Makes the result from a successful answer.
        content: The body.
        headers: Besides the key's.
    """

    method: str
    path: str
    read: Callable[[httpx.Response], Result]
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
