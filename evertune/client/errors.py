"""What a client raises: the server's own error by its code, or one of three that only a client has."""

from __future__ import annotations

from typing import Any

import httpx
import orjson

from evertune import errors
from evertune.errors import EvertuneError

_KINDS: dict[str, type[EvertuneError]] = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, EvertuneError) and kind is not EvertuneError
}

MALFORMED = (ValueError, TypeError, KeyError, AttributeError, OverflowError)
"""What reading an answer raises where it is not of the form that it should have."""


class UnreachableError(EvertuneError):
    """No answer came: refused, reset, or cut off, as often as it was tried."""

    code, http_status, exit_code = "unreachable", 502, 1


class DeadlineError(EvertuneError):
    """No answer came in time."""

    code, http_status, exit_code = "deadline", 504, 1


class RemoteError(EvertuneError):
    """The server's answer is an error of a kind that has no class here, or is not understood."""

    code, http_status, exit_code = "remote", 502, 1


def error_of(response: httpx.Response) -> EvertuneError:
    """The error that an answer tells, with the server's message, fix and details; never raises."""
    status = response.status_code
    try:
        body: dict[str, Any] = orjson.loads(response.content)
        message, code = str(body["error"]), body.get("code")
    except MALFORMED:  # of a proxy, or of another server
        return not_understood(response, f"status {status}")
    error = _KINDS.get(str(code), RemoteError)(message, fix=body.get("fix"))
    details = body.get("details")
    error.details = dict(details) if isinstance(details, dict) else {}
    error.details |= {"status": status, "code": code} if isinstance(error, RemoteError) else {}
    return error


def not_understood(response: httpx.Response, problem: str) -> RemoteError:
    """The error of an answer that Evertune's server would not give."""
    start = response.content[:200].decode("utf-8", "replace")
    return RemoteError(
        f"{response.url} gave an answer that is not understood: {problem}: {start!r}",
        fix="Check that the URL is that of an Evertune server.",
        status=response.status_code,
    )
