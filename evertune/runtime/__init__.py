"""ONNX Runtime, the one runtime that exporter, server and gate share."""

from evertune.runtime.session import Session

__all__ = ["Session"]
