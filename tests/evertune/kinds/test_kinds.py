"""What is particular to each kind."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evertune.errors import TaskError
from evertune.kinds import decoded, kind_of
from evertune.rows import Rows

LABELS = ("ant", "bee", "cat", "dog")


@pytest.mark.parametrize(
    ("kind", "labels", "parameters", "named"),
    [
        ("classification", ("one",), {}, "at least two class names"),
        ("classification", ("one", "one"), {}, "all different"),
        ("classification", ["a", "b"], {}, "tuple of class names"),
        ("multilabel", tuple(map(str, range(53))), {"threshold": 0.5}, "at most 52"),
        ("multilabel", ("a",), {"threshold": 1.0}, "between 0 and 1"),
        ("regression", ("a", "b"), {"loss_scale": 1.0}, "target's name alone"),
        ("regression", ("a",), {"loss_scale": None}, "Set loss_scale"),
        ("regression", ("a",), {"loss_scale": -1}, "Set loss_scale"),
        ("regression", ("a",), {"loss_scale": math.inf}, "Set loss_scale"),
        ("ranking", ("a", "b"), {"top_k": 0}, "Set top_k"),
        ("ranking", ("a", "b"), {"top_k": 2.0}, "Set top_k"),
    ],
)
def test_what_is_wrong_with_a_declaration_is_said(kind: str, labels: Any, parameters: Any, named: str) -> None:
    problems = kind_of(kind).problems(labels, parameters)
    assert any(named in fix for _, fix in problems), problems


def test_an_unknown_kind_is_named_with_those_that_are_known() -> None:
    with pytest.raises(TaskError, match=r"'poetry'.*classification, multilabel, regression, ranking"):
        kind_of("poetry")


@given(st.lists(st.integers(0, 51), unique=True))
def test_all_52_labels_fit_into_a_number(held: list[int]) -> None:
    labels = tuple(f"label {index}" for index in range(52))
    kind = kind_of("multilabel")
    (bits,) = kind.decode_labels(np.array([kind.encode_label(held, labels)]), labels)
    assert bits.dtype == np.uint8
    assert np.flatnonzero(bits).tolist() == sorted(held)


def test_the_multilabel_loss_is_one_minus_the_jaccard_index() -> None:
    from sklearn.metrics import jaccard_score

    rng = np.random.default_rng(0)
    truth, p = rng.integers(2, size=(200, 4)), rng.random((200, 4)).astype(np.float32)
    losses = kind_of("multilabel").row_losses({"probabilities": p}, truth, {"threshold": 0.4})
    expected = jaccard_score(truth, p >= 0.4, average="samples", zero_division=1.0)
    assert 1 - losses.mean() == pytest.approx(expected)


def test_the_ranking_loss_is_one_minus_ndcg() -> None:
    from sklearn.metrics import ndcg_score

    rng = np.random.default_rng(0)
    scores, truth = rng.normal(size=(300, 30)).astype(np.float32), rng.integers(30, size=300)
    losses = kind_of("ranking").row_losses({"scores": scores}, truth, {"top_k": 7})
    assert 1 - losses.mean() == pytest.approx(ndcg_score(np.eye(30)[truth], scores, k=7))


def test_nothing_chosen_and_an_item_beyond_the_list_are_wholly_wrong() -> None:
    scores = np.array([[3.0, 2.0, 1.0]] * 3, np.float32)
    losses = kind_of("ranking").row_losses({"scores": scores}, np.array([-1, 7, 0]), {"top_k": 3})
    assert losses.tolist() == [1.0, 1.0, 0.0]


def test_of_equal_scores_the_item_that_is_shown_first_ranks_first() -> None:
    scores = np.zeros((3, 3), np.float32)
    kind = kind_of("ranking")
    shown = kind.answer({"scores": scores[:1]}, ("a", "b", "c"), {"top_k": 2})
    assert [item["item"] for item in shown[0]["items"]] == ["a", "b"]
    losses = kind.row_losses({"scores": scores}, np.array([0, 1, 2]), {"top_k": 2})
    assert losses.tolist() == pytest.approx([0, 1 - 1 / math.log2(3), 1])


def test_certainty_of_a_ranking_is_the_expected_score_where_scores_are_log_probabilities() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(1, 6)) * 2
    p = np.exp(logits[0]) / np.exp(logits[0]).sum()
    kind, parameters = kind_of("ranking"), {"top_k": 3}
    outputs = {"scores": logits.astype(np.float32)}
    losses = [kind.row_losses(outputs, np.array([item]), parameters)[0] for item in range(6)]
    assert kind.certainty(outputs, parameters)[0] == pytest.approx(1 - p @ np.array(losses), abs=1e-6)


def test_certainty_of_multilabel_tells_sure_answers_from_unsure_ones() -> None:
    sure, unsure, empty = [0.99, 0.01, 0.01, 0.01], [0.51, 0.49, 0.49, 0.49], [0.01, 0.0, 0.0, 0.0]
    kind = kind_of("multilabel")
    found = kind.certainty({"probabilities": np.array([sure, unsure, empty], np.float32)}, {"threshold": 0.5})
    assert found[0] > 0.9 > 0.3 > found[1]
    assert found[2] == pytest.approx(0.99)


def test_the_regression_loss_is_the_error_in_units_of_the_scale_and_never_above_one() -> None:
    outputs = {"value": np.array([[1.0], [5.0], [-200.0]], np.float32)}
    losses = kind_of("regression").row_losses(outputs, np.array([1.5, 3.0, 0.0]), {"loss_scale": 4.0})
    assert losses.tolist() == [0.125, 0.5, 1.0]


def test_live_rows_are_decoded_as_the_kind_has_them() -> None:
    rows = Rows({}, np.array([5.0, 0.0]), np.array([1.0, 2.0]), ids=("a:0", "b:0"))
    found = decoded(rows, "multilabel", LABELS)
    assert found.labels.tolist() == [[1, 0, 1, 0], [0, 0, 0, 0]]
    assert (found.times.tolist(), found.ids) == ([1.0, 2.0], ("a:0", "b:0"))
    assert decoded(rows, "classification", LABELS).labels.dtype == np.int64
    assert decoded(rows, "regression", ("y",)).labels.dtype == np.float32
