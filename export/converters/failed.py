"""The failure of one route, where another may pass."""

from __future__ import annotations

from typing import Any

from evertune.errors import ExportError


class RouteError(ExportError):
    """The model runs, but this exporter cannot translate it."""

    @classmethod
    def of(cls, error: ExportError) -> RouteError:
        """The same message."""
        return cls(error.message, fix=error.fix, **error.details)


class MovingError(RouteError):
    """The model cannot be taken to another process: it may still be translated in its own."""


_KINDS = {each.__name__: each for each in (ExportError, RouteError, MovingError)}


def too_slow(what: str, seconds: float) -> RouteError:
    """The error of an exporter that was stopped."""
    return RouteError(
        f"the model does not export to ONNX: {what} took longer than export.route_timeout_seconds = {seconds:g}",
        fix="Raise it, or let the model be smaller: loops over many steps are unrolled.",
    )


def crashed(what: str, code: int) -> RouteError:
    """The error of an exporter that took its process with it."""
    how = f"was killed by signal {-code}" if code < 0 else f"left with {code}"
    return RouteError(
        f"the model does not export to ONNX: the process of {what} {how}",
        fix="Export the model without its last layers, one by one, until it passes; give it more memory.",
        code=code,
    )


def to_json(error: ExportError) -> dict[str, Any]:
    """An error as another process can read it."""
    details = {key: value for key, value in error.details.items() if isinstance(value, str | int | float | None)}
    return {"message": error.message, "fix": error.fix, "kind": type(error).__name__, "details": details}


def from_json(data: dict[str, Any]) -> ExportError:
    """Inverse of `to_json`."""
    kind = _KINDS.get(data["kind"], ExportError)
    return kind(data["message"], fix=data["fix"], **data["details"])
