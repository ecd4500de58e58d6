"""The groups of the zoo: one process each, since Keras has one backend a process."""

from __future__ import annotations

from benchmarks._zoo.entry import Entry

GROUPS = ("keras-torch", "keras-tensorflow", "torch", "sklearn")


def entries_of(group: str) -> tuple[Entry, ...]:
    """The models of a group; imports its framework, except Keras, whose backend the environment names."""
    if group.startswith("keras"):
        from benchmarks._zoo.keras_models import entries
    elif group == "torch":
        from benchmarks._zoo.torch_models import entries
    else:
        from benchmarks._zoo.sklearn_models import entries
    return entries()
