"""Which server is asked, and with which key."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import httpx

from evertune.errors import InputError

KEY_VARIABLE = "EVERTUNE_API_KEY"


@dataclass(frozen=True)
class Target:
    """A server.

    Args:
        url: "http://host:port", with a path where a proxy wants one.
        api_key: None: the environment variable `EVERTUNE_API_KEY`, or none.

    Raises:
        InputError: The URL is not one of HTTP, or the key has characters that no header takes.
    """

    url: str
    api_key: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        try:
            parsed = httpx.URL(self.url)
        except httpx.InvalidURL as error:
            raise InputError(f"{self.url!r} is no URL: {error}", fix="Give http://host:port.") from None
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise InputError(f"{self.url!r} is no URL of a server", fix="Give http://host:port.")
        key = os.environ.get(KEY_VARIABLE) if self.api_key is None else self.api_key
        if key and not (key.isascii() and key.isprintable()):
            raise InputError("the API key holds characters that no key has", fix="Copy it again; it begins with ek_.")
        object.__setattr__(self, "api_key", key.strip() if key else None)

    @property
    def headers(self) -> dict[str, str]:
        """Of every request."""
        return {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}

    @property
    def verify(self) -> bool:
        """Whether certificates are looked at; to read those of the system takes longer than a hundred requests."""
        return httpx.URL(self.url).scheme == "https"
