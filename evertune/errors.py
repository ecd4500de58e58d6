"""Every error a user can meet, with its HTTP status and its exit code as data.

Handlers stay trivial: the server answers with `http_status`, the command line leaves with `exit_code`, and both show
`message` and `fix`. A subclass adds two numbers and a code, never behaviour.
"""

from __future__ import annotations

from typing import Any, ClassVar


class EvertuneError(Exception):
    """Root of all errors raised on purpose.

    Args:
        message: What was wrong, naming the offending value.
        fix: What to do about it, as an imperative sentence.
        **details: JSON-serialisable facts for programs (the key, the value, the file).

    Example:
        >>> error = InputError("input 'image' has dtype float64", fix="Send uint8.", name="image")
        >>> str(error)
        "input 'image' has dtype float64 Fix: Send uint8."
        >>> error.http_status, error.exit_code, error.details
        (400, 2, {'name': 'image'})
    """

    code: ClassVar[str] = "internal"
    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, fix: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
        self.details = details

    def __str__(self) -> str:
        return f"{self.message} Fix: {self.fix}" if self.fix else self.message

    def to_json(self) -> dict[str, Any]:
        """The error as the body of an HTTP response or of `--json` output."""
        body: dict[str, Any] = {"error": self.message, "code": self.code}
        if self.fix:
            body["fix"] = self.fix
        if self.details:
            body["details"] = self.details
        return body


class InputError(EvertuneError):
    """A request or an argument is malformed: shape, dtype, name, NaN, broken JSON."""

    code, http_status, exit_code = "bad_input", 400, 2


class SettingsError(EvertuneError):
    """`evertune.toml` or an `EVERTUNE_*` variable is wrong."""

    code, http_status, exit_code = "bad_settings", 500, 3


class TaskError(EvertuneError):
    """The task file does not import, or the task breaks its contract."""

    code, http_status, exit_code = "bad_task", 500, 4


class DataError(EvertuneError):
    """The task's data cannot be learned from: NaN, one class, wrong shape."""

    code, http_status, exit_code = "bad_data", 500, 5


class ExportError(EvertuneError):
    """A model cannot become a verified ONNX artifact."""

    code, http_status, exit_code = "export_refused", 500, 6


class BundleError(EvertuneError):
    """A bundle is damaged, forged, or of an unknown format."""

    code, http_status, exit_code = "bad_bundle", 500, 7


class SearchError(EvertuneError):
    """A search cannot go on: no trial finished, or its journal belongs to another task."""

    code, http_status, exit_code = "search_failed", 500, 8


class RegistryError(EvertuneError):
    """No such deployment, or nothing to roll back to."""

    code, http_status, exit_code = "registry", 409, 9


class JobError(EvertuneError):
    """A re-tune job cannot be created, claimed or continued."""

    code, http_status, exit_code = "retune_job", 409, 10


class AuthError(EvertuneError):
    """No key, an unknown key, or a key without the needed role."""

    code, http_status, exit_code = "unauthorized", 401, 11


class UnknownModelError(EvertuneError):
    """The named model is not served here."""

    code, http_status, exit_code = "unknown_model", 404, 12


class UnknownRowError(EvertuneError):
    """A label names a row that was never predicted."""

    code, http_status, exit_code = "unknown_row", 404, 13


class TooLargeError(EvertuneError):
    """A request body or batch is over its limit."""

    code, http_status, exit_code = "too_large", 413, 14


class OverloadedError(EvertuneError):
    """The queue or the disk share is full; the client should come back later."""

    code, http_status, exit_code = "overloaded", 503, 15


class NotReadyError(EvertuneError):
    """No champion is loaded yet."""

    code, http_status, exit_code = "not_ready", 503, 16


class LedgerError(EvertuneError):
    """The ledger's database cannot be opened, is damaged, full, locked for too long, or of a newer schema."""

    code, http_status, exit_code = "ledger", 503, 17
