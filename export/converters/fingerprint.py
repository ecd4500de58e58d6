"""Which traced programs become the same ONNX graph."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any


def fingerprint(program: Any, places: Mapping[str, int]) -> str:
    """A key that two programs share when they differ in the values of variables only.

    Keras' own `get_config` is not used: it imports TensorFlow (seven seconds), numbers layers on and on, and does not
    tell what a layer holds beside it (the mean of an adapted `Normalization`).

    Args:
        program: `torch.export.ExportedProgram`.
        places: Name of a constant in it to the position of its variable in the model.
    """
    digest = hashlib.sha256(repr((sorted(places.items()), str(program.range_constraints))).encode())
    for node in program.graph.nodes:
        if node.op == "placeholder" and not node.users:
            continue  # see variable_places
        facts = (node.name, node.op, str(node.target), str(node.args), str(node.kwargs), str(node.meta.get("val")))
        digest.update(repr(facts).encode())
    for name, value in sorted(program.constants.items()):
        if name not in places:
            digest.update(repr((name, str(value.dtype), tuple(value.shape))).encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
