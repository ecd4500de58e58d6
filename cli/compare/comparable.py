"""Whether two bundles answer the same question."""

from __future__ import annotations

from evertune.bundle import Bundle
from evertune.errors import InputError


def require_comparable(first: Bundle, second: Bundle) -> None:
    """Refuses bundles whose answers to the same rows do not mean the same.

    Raises:
        InputError: Names what differs: model, kind, labels, parameters of the kind, signature or preprocessing.
    """
    one, two = first.manifest, second.manifest
    pairs = {
        "models": (one.model, two.model),
        "kinds": (one.kind, two.kind),
        "labels": (list(one.labels), list(two.labels)),
        "parameters of the kind": (one.parameters, two.parameters),
        "signatures": (one.signature.to_json(), two.signature.to_json()),
        "preprocessing": (one.preprocessing_sha256, two.preprocessing_sha256),
    }
    for what, (left, right) in pairs.items():
        if left != right:
            raise InputError(
                f"the bundles have different {what}: {_short(left)} and {_short(right)}",
                fix="Compare two bundles of one model, made for the same task.",
                differs=what,
            )


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 120 else f"{text[:117]}..."
