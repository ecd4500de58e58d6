"""Which TensorFlow models cost the same to serve."""

from __future__ import annotations

import hashlib
from typing import Any


def graph_key(graph: Any) -> str:
    """A key that traced graphs share when they have the same operations, attributes and shapes between the same ends.

    Names are left out: Keras numbers its layers on and on. What a function of its own computes (the step of a recurrent
    layer) is known by its name only, and that has a number too: such models share nothing.

    Args:
        graph: `tf.Graph` of a concrete function; its variables are inputs, so their values are not in it.
    """
    digest, places = hashlib.sha256(), {}
    for number, operation in enumerate(graph.get_operations()):
        places[operation.name] = number
        node = operation.node_def
        ends = [(places[each.op.name], each.value_index) for each in operation.inputs]
        facts = sorted((name, value.SerializeToString(deterministic=True)) for name, value in node.attr.items())
        shapes = [str(each.shape) for each in operation.outputs]
        digest.update(repr((operation.type, ends, shapes, facts)).encode())
    return digest.hexdigest()
