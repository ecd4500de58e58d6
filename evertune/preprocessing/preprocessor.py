"""All steps of a task."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self, TypeVar

from evertune.errors import InputError, TaskError
from evertune.preprocessing.categories import Categories
from evertune.preprocessing.column import Column
from evertune.preprocessing.hashed import Hashed
from evertune.preprocessing.image import Image
from evertune.preprocessing.numeric import Numbers
from evertune.preprocessing.step import Step
from evertune.preprocessing.text import Text
from evertune.tensors import Tensors, TensorSpec

FORMAT_VERSION = 1
STEPS: dict[str, type[Step]] = {step.name: step for step in (Categories, Hashed, Image, Numbers, Text)}
_MOST_STEPS = 64

StepT = TypeVar("StepT")


@dataclass(frozen=True)
class Preprocessor:
    """Turns raw columns into the graph's inputs: the same code for training rows and for requests.

    Attributes:
        steps: One for each input of the graph that it makes. Inputs without a step are sent as tensors.

    Example:
        >>> rows = {"city": ["Oslo", "Rome"], "wind": [3.0, 5.0]}
        >>> both = Preprocessor((Numbers.fit(rows, ["wind"]), Categories.fit(rows, ["city"])))
        >>> {name: value.tolist() for name, value in both.transform({"city": ["Rome"], "wind": [4]}).items()}
        {'numbers': [[4.0]], 'categories': [[2]]}
        >>> Preprocessor.from_json(both.to_json()) == both
        True
    """

    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        outputs = [step.spec.name for step in self.steps]
        types = {(column.name, column.type) for step in self.steps for column in step.columns}
        names = [name for name, _ in types]
        if not 1 <= len(self.steps) <= _MOST_STEPS:
            raise ValueError(f"{len(self.steps)} steps; allowed are 1 to {_MOST_STEPS}")
        if len(set(outputs)) != len(outputs) or len(set(names)) != len(names):
            raise ValueError(f"two steps make one input ({outputs}), or one column has two types ({sorted(types)})")
        if set(outputs) & set(names):  # a request names either; it must be clear which
            raise ValueError(f"{sorted(set(outputs) & set(names))} name a raw column and an input of the graph")

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """All raw columns, each once."""
        return tuple({column.name: column for step in self.steps for column in step.columns}.values())

    @cached_property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The inputs of the graph that it makes."""
        return tuple(step.spec for step in self.steps)

    def step(self, kind: type[StepT]) -> StepT:
        """The first step of a type.

        Raises:
            TaskError: There is none.
        """
        for step in self.steps:
            if isinstance(step, kind):
                return step
        raise TaskError(f"the preprocessor has no step {kind.__name__}", fix=f"Add a {kind.__name__} step to it.")

    def transform(self, columns: Mapping[str, Sequence[Any]], *, without: Collection[str] = ()) -> Tensors:
        """The graph's inputs.

        Args:
            columns: Raw values by column, one entry a row. Columns that no step reads are left alone.
            without: Inputs that need not be made.

        Raises:
            InputError: A column is missing, or they differ in length, or a value is not allowed: names column and row.
        """
        steps = [step for step in self.steps if step.spec.name not in without]
        _check_lengths({column.name for step in steps for column in step.columns}, columns)
        return {step.spec.name: step.transform(columns) for step in steps}

    def check(self, inputs: Sequence[TensorSpec]) -> None:
        """Holds what it makes against the inputs that a task declares.

        Raises:
            TaskError: Names the first input that is not declared, or is declared otherwise.
        """
        declared = {spec.name: spec for spec in inputs}
        for spec in self.outputs:
            if declared.get(spec.name) != spec:
                raise TaskError(
                    f"the preprocessor makes {spec}, Task.inputs declares {declared.get(spec.name)}",
                    fix="Make both the same; `inputs = PREPROCESSOR.outputs` always is.",
                    input=spec.name,
                )

    def to_json(self) -> dict[str, Any]:
        """The preprocessor as in a bundle's `preprocessing.json`."""
        steps = [{"step": step.name, **step.to_json()} for step in self.steps]
        return {"format_version": FORMAT_VERSION, "steps": steps}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of `to_json`; every field is audited before anything is built.

        Raises:
            ValueError: A newer format, an unknown step or field, or a value that is not allowed.
        """
        if data.get("format_version") != FORMAT_VERSION or set(data) != {"format_version", "steps"}:
            raise ValueError(f"format version {data.get('format_version')!r}, this Evertune reads {FORMAT_VERSION}")
        try:
            made = cls(tuple(_step(step) for step in data["steps"]))
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"a field is missing, unknown or of another type: {error}") from error
        if made.to_json() != data:
            raise ValueError("a step has fields that it does not know, or values in another spelling")
        return made


def _check_lengths(wanted: set[str], columns: Mapping[str, Sequence[Any]]) -> None:
    missing = sorted(wanted - set(columns))
    if missing:
        raise InputError(
            f"column {', '.join(map(repr, missing))} is missing",
            fix=f"Send all of {sorted(wanted)}; null for a missing value.",
        )
    lengths = {name: len(columns[name]) for name in sorted(wanted)}
    if len(set(lengths.values())) > 1 or 0 in lengths.values():
        raise InputError(f"columns have {lengths} rows", fix="Send at least one row, the same number a column.")


def _step(data: Mapping[str, Any]) -> Step:
    kind = STEPS.get(data["step"])
    if kind is None:
        raise ValueError(f"unknown step {data['step']!r}")
    return kind.from_json({key: value for key, value in data.items() if key != "step"})
