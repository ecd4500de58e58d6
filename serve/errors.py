"""Errors that only the server has."""

from __future__ import annotations

from evertune.errors import EvertuneError


class RouteError(EvertuneError):
    """No such path."""

    code, http_status, exit_code = "no_such_route", 404, 2


class MethodError(EvertuneError):
    """The path exists, but not for this HTTP method."""

    code, http_status, exit_code = "method_not_allowed", 405, 2


class EncodingError(EvertuneError):
    """The body is encoded in a way that the server does not read."""

    code, http_status, exit_code = "unsupported_encoding", 415, 2


class ClientGoneError(Exception):
    """The client closed the connection; nobody is left to answer."""


class ModelError(EvertuneError):
    """The model failed on an input that its signature allows."""

    code, http_status, exit_code = "model_failed", 500, 1
