"""Auditing an ONNX graph before ONNX Runtime sees it, without the package onnx, which a server does not have."""

from evertune.bundle.graph.audit import audit_graph

__all__ = ["audit_graph"]
