"""Kinds of tasks: what their answers, labels, losses and metrics are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from evertune.errors import TaskError
from evertune.kinds.classification import Classification
from evertune.kinds.kind import Kind, Parameters
from evertune.kinds.multilabel import Multilabel
from evertune.kinds.ranking import Ranking
from evertune.kinds.regression import Regression
from evertune.rows import Rows

_ALL: tuple[Kind, ...] = (Classification(), Multilabel(), Regression(), Ranking())
KINDS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in _ALL})


def kind_of(name: str) -> Kind:
    """The kind of that name.

    Raises:
        TaskError: There is none; names those that are.

    Example:
        >>> kind_of("regression").outputs(("price",))
        (TensorSpec(name='value', dtype='float32', shape=(1,), missing=False),)
    """
    try:
        return KINDS[name]
    except KeyError:
        known = ", ".join(KINDS)
        raise TaskError(f"task kind {name!r} is not known", fix=f"Use one of {known}.", kind=name) from None


def decoded(rows: Rows, kind: str, labels: Sequence[str]) -> Rows:
    """Live rows, whose labels are the ledger's numbers, as a task of that kind has them.

    Raises:
        TaskError: There is no such kind.
    """
    return replace(rows, labels=kind_of(kind).decode_labels(rows.labels, labels))


__all__ = ["KINDS", "Kind", "Parameters", "decoded", "kind_of"]
