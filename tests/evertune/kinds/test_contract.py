"""What every kind of task owes; a new kind adds one `Case`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evertune.checks import check_splits
from evertune.errors import DataError, ExportError, InputError
from evertune.evaluation import Evaluation, evaluate
from evertune.kinds import KINDS, Kind, kind_of
from evertune.losses import row_losses
from evertune.rows import Rows
from evertune.task import Splits, Task
from evertune.tensors import Array, Tensors, TensorSpec

NAMES = ("ant", "bee", "cat", "dog")


@dataclass(frozen=True)
class Case:
    """One kind.

    Attributes:
        draw: Random truths, as `Rows.labels`.
        perfect: Outputs that answer truths perfectly.
        labels_sent: What a client may send, with the number that it is kept as.
        labels_refused: What a client may not send, with the text that names it.
        rows_refused: Truths that no split may hold, with the text that names what is wrong.
        constant: Truths that nothing can be learned from.
        outputs_refused: Finite outputs that are not of the kind.
    """

    task: Task
    draw: Callable[[np.random.Generator, int], Array]
    perfect: Callable[[Array], Array]
    labels_sent: tuple[tuple[Any, float], ...]
    labels_refused: tuple[tuple[Any, str], ...]
    rows_refused: tuple[tuple[Array, str], ...]
    constant: Array
    outputs_refused: tuple[Array, ...] = ()

    @property
    def kind(self) -> Kind:
        return kind_of(self.task.kind)

    def outputs(self, values: Array) -> Tensors:
        return {self.task.signature.outputs[0].name: values.astype(np.float32)}

    def losses(self, values: Array, truth: Array) -> Array:
        return row_losses(self.task.kind, self.outputs(values), truth, self.task.parameters)

    def random_outputs(self, rng: np.random.Generator, rows: int) -> Array:
        width = self.task.signature.outputs[0].shape[0] or 0
        values = rng.normal(size=(rows, width)) * 3
        if self.task.kind == "classification":
            values = np.exp(values) / np.exp(values).sum(axis=1, keepdims=True)
        return 1 / (1 + np.exp(-values)) if self.task.kind == "multilabel" else values


class Base(Task):
    """One number in; its kind is what matters."""

    name: ClassVar[str] = "some"
    labels: ClassVar[tuple[str, ...]] = NAMES
    inputs: ClassVar[tuple[TensorSpec, ...]] = (TensorSpec("x", "float32", (1,)),)

    def load(self) -> Splits:
        raise NotImplementedError

    def build(self, hp: Any) -> Any:
        raise NotImplementedError


class Classes(Base):
    """One of four."""

    kind = "classification"


class Tags(Base):
    """Any of four."""

    kind = "multilabel"


class Price(Base):
    """A number."""

    kind = "regression"
    labels = ("price",)
    loss_scale = 10.0


class Next(Base):
    """An item of four, two shown."""

    kind = "ranking"
    top_k = 2


def _items(truth: Array) -> Array:
    return np.eye(4)[np.maximum(truth, 0)]


INDEX_ROWS = (
    (np.array([0, 4, 1]), "row 1: label 4 is none of the 4"),
    (np.array([0.0, 1.0, 1.0]), "dtype float64"),
    (np.array([[0], [1], [1]]), r"shape \[3, 1\]"),
)
CASES = (
    Case(
        Classes(),
        lambda rng, rows: rng.integers(4, size=rows),
        _items,
        labels_sent=(("cat", 2), (0, 0)),
        labels_refused=(("hat", "'hat'"), (4, "'4'"), (-1, "'-1'"), (True, "'True'"), (None, "'None'"), (1.0, "'1.0'")),
        rows_refused=(*INDEX_ROWS, (np.array([0, 1, -1]), "row 2: label -1")),
        constant=np.full(5, 2),
        outputs_refused=(np.array([[2.0, -1.0, 0, 0]]), np.array([[0.5, 0.5, 0.5, 0.5]])),
    ),
    Case(
        Tags(),
        lambda rng, rows: rng.integers(2, size=(rows, 4)).astype(np.uint8),
        lambda truth: truth * 0.98 + 0.01,
        labels_sent=(([], 0), (["ant", "dog"], 9), ([1, "bee"], 2)),
        labels_refused=((["ant", "hat"], "'hat'"), ("ant", "'ant'"), ([4], "'4'"), ([True], "'True'"), (3, "'3'")),
        rows_refused=(
            (np.array([0, 1, 1]), r"shape \[3\]"),
            (np.array([[0, 1, 0, 0], [0, 2, 0, 0], [0, 0, 0, 0]]), "row 1: label 'bee' is 2"),
            (np.zeros((3, 4)), "dtype float64"),
        ),
        constant=np.tile(np.array([[1, 0, 1, 0]], np.uint8), (5, 1)),
        outputs_refused=(np.array([[2.0, 0.1, 0, 0]]), np.array([[0.5, -0.5, 0.5, 0.5]])),
    ),
    Case(
        Price(),
        lambda rng, rows: rng.normal(scale=20, size=rows).astype(np.float32),
        lambda truth: truth[:, None],
        labels_sent=((12.5, 12.5), (-3, -3), (0, 0)),
        labels_refused=(
            *((value, f"'{value}'") for value in (True, "12", None, float("nan"), float("inf"))),
            (10**400, "'1000"),
        ),
        rows_refused=(
            (np.array([1, 2, 3]), "dtype int64"),
            (np.array([1.0, np.nan, 2.0]), "row 1: label nan"),
            (np.array([1.0, 2.0, 1e300]), "row 2: label 1e"),
        ),
        constant=np.full(5, 2.5, np.float32),
    ),
    Case(
        Next(),
        lambda rng, rows: rng.integers(4, size=rows),
        _items,
        labels_sent=(("cat", 2), (None, -1)),
        labels_refused=(("hat", "'hat'"), (2, "'2'"), (["cat"], "cat"), (True, "'True'")),
        rows_refused=(*INDEX_ROWS, (np.array([0, 1, -2]), "row 2: label -2")),
        constant=np.array([2, -1, 2, 2, -1]),
    ),
)
every_kind = pytest.mark.parametrize("case", CASES, ids=lambda case: case.task.kind)
seeds = st.integers(0, 2**32 - 1)


def test_every_kind_is_held_to_the_contract() -> None:
    assert [case.task.kind for case in CASES] == list(KINDS)


@every_kind
@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_losses_lie_in_the_unit_interval_and_are_zero_for_a_perfect_answer(case: Case, seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = case.draw(rng, 9)
    losses = case.losses(case.random_outputs(rng, 9), truth)
    assert losses.dtype == np.float64
    assert losses.shape == (9,)
    assert ((losses >= 0) & (losses <= 1)).all()
    assert not case.losses(case.perfect(truth), truth).any()


@every_kind
@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_certainty_lies_in_the_unit_interval_and_needs_no_truth(case: Case, seed: int) -> None:
    values = case.random_outputs(np.random.default_rng(seed), 9)
    certainty = case.kind.certainty(case.outputs(values), case.task.parameters)
    assert certainty.shape == (9,)
    assert ((certainty >= 0) & (certainty <= 1)).all()


@every_kind
def test_an_answer_a_row_is_json(case: Case) -> None:
    values = case.random_outputs(np.random.default_rng(1), 3)
    answers = case.kind.answer(case.outputs(values), case.task.labels, case.task.parameters)
    read = orjson.loads(orjson.dumps(answers, option=orjson.OPT_SERIALIZE_NUMPY))
    assert len(read) == 3
    assert all(answer and "id" not in answer and "confidence" not in answer for answer in read)


@every_kind
def test_labels_survive_the_ledger(case: Case) -> None:
    labels, kind = case.task.labels, case.kind
    for sent, number in case.labels_sent:
        encoded = kind.encode_label(sent, labels)
        assert type(encoded) is float
        assert encoded == number
    numbers = np.array([number for _, number in case.labels_sent])
    kind.check_rows(labels, "test", Rows({}, kind.decode_labels(numbers, labels)))
    example = kind.example_label(labels)
    json.dumps(example)
    kind.encode_label(example, labels)


@every_kind
def test_labels_survive_a_file(case: Case) -> None:
    labels, kind = case.task.labels, case.kind
    for sent, number in case.labels_sent:
        shown = kind.show_label(number, labels)
        assert kind.encode_label(shown, labels) == kind.encode_label(sent, labels)
        cell = json.dumps(shown) if isinstance(shown, list) else "" if shown is None else str(shown)
        assert kind.encode_label(kind.read_label(cell, labels), labels) == number
    values = case.random_outputs(np.random.default_rng(2), 3)
    for answer in kind.answer(case.outputs(values), labels, case.task.parameters):
        kind.encode_label(kind.show_answer(answer), labels)


@every_kind
def test_what_is_no_label_is_refused_by_its_value(case: Case) -> None:
    for sent, named in case.labels_refused:
        with pytest.raises(InputError, match=named):
            case.kind.encode_label(sent, case.task.labels)


def _splits(case: Case) -> Splits:
    def rows(labels: Array) -> Rows:
        return Rows({"x": np.zeros((len(labels), 1), np.float32)}, labels)

    parts = (rows(case.draw(np.random.default_rng(seed), 20)) for seed in range(4))
    return Splits(*parts, slices={"even": np.arange(20) % 2 == 0})


@every_kind
def test_sound_splits_pass_and_bad_labels_are_named(case: Case) -> None:
    splits = _splits(case)
    check_splits(case.task, splits)
    for truth, named in case.rows_refused:
        bad = Rows({"x": np.zeros((len(truth), 1), np.float32)}, truth)
        with pytest.raises(DataError, match=f"'validation'.*{named}"):
            check_splits(case.task, replace(splits, validation=bad))
    constant = Rows({"x": np.zeros((len(case.constant), 1), np.float32)}, case.constant)
    with pytest.raises(DataError, match="training rows"):
        check_splits(case.task, replace(splits, train=constant))
    check_splits(case.task, replace(splits, validation=constant))


@every_kind
@pytest.mark.parametrize(
    "mask", [np.ones(19, bool), np.ones(20), np.ones((20, 1), bool)], ids=["short", "floats", "2-D"]
)
def test_a_slice_that_is_no_mask_over_the_test_rows_is_refused(case: Case, mask: Array) -> None:
    with pytest.raises(DataError, match="slice 'odd'"):
        check_splits(case.task, replace(_splits(case), slices={"odd": mask}))


@every_kind
def test_outputs_that_are_not_of_the_kind_are_refused(case: Case) -> None:
    truth = case.draw(np.random.default_rng(2), 8)
    case.kind.check_values(case.perfect(truth).astype(np.float32))
    for values in case.outputs_refused:
        with pytest.raises(ExportError, match="not probabilities"):
            case.kind.check_values(values)


@every_kind
def test_decisions_hold_as_long_as_outputs_move_less_than_half_the_lead(case: Case) -> None:
    rng = np.random.default_rng(3)
    values = case.random_outputs(rng, 200)
    decided, lead = case.kind.decisions(values, case.task.parameters)
    moved = values + rng.uniform(-0.49, 0.49, values.shape) * np.where(np.isfinite(lead), lead, 1.0)[:, None]
    assert np.array_equal(case.kind.decisions(moved, case.task.parameters)[0], decided)


@every_kind
def test_an_evaluation_agrees_with_the_losses_covers_slices_and_survives_json(case: Case) -> None:
    rng = np.random.default_rng(4)
    truth, values = case.draw(rng, 80), case.random_outputs(rng, 80)
    even = np.arange(80) % 2 == 0
    slices = {"even": even, "none": np.zeros(80, bool)}
    task = case.task
    arguments = {"seed": 1, "resamples": 60, "parameters": task.parameters, "slices": slices}
    found = evaluate(task.kind, task.labels, case.outputs(values), truth, **arguments)  # type: ignore[arg-type]
    losses = case.losses(values, truth)
    assert found.kind == task.kind
    assert found.score.value == pytest.approx(1 - losses.mean())
    assert 0 < found.score.interval.width < 1
    part = found.slices["even"]
    assert part.rows == 40
    assert part.score is not None
    assert part.score.value == pytest.approx(1 - losses[even].mean())
    assert list(part.metrics) == list(found.metrics)
    assert (found.slices["none"].rows, found.slices["none"].score) == (0, None)
    assert Evaluation.from_json(json.loads(json.dumps(found.to_json(), allow_nan=False))) == found
    assert found == evaluate(task.kind, task.labels, case.outputs(values), truth, **arguments)  # type: ignore[arg-type]


@every_kind
def test_a_task_of_the_kind_has_no_problems_and_one_declared_output(case: Case) -> None:
    task = case.task
    assert case.kind.problems(task.labels, task.parameters) == []
    assert case.kind.problems((), task.parameters)
    assert json.loads(json.dumps(task.parameters)) == task.parameters
    (output,) = task.signature.outputs
    assert str(output.shape[0]) in case.kind.last_layer(output.shape[0] or 0)
