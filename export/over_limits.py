"""Why a model that is sound does not ship."""

from __future__ import annotations

from evertune.errors import ExportError


class OverLimitsError(ExportError):
    """No precision of the model is within `[limits]`; `details` hold latency, size and limits."""
