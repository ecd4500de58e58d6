"""Metrics of the other kinds, and what ranks classes, against scikit-learn's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from evertune.errors import DataError
from evertune.evaluation import evaluate

LABELS = ("ant", "bee", "cat")


def test_regression_metrics_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    truth = 1e6 + rng.normal(size=400)  # far from zero, where naive sums of squares lose their digits
    value = (truth + 0.5 * rng.normal(size=400))[:, None]
    found = evaluate("regression", ("y",), {"value": value}, truth, seed=0, resamples=50, parameters={"loss_scale": 2})
    expected = {
        "mse": metrics.mean_squared_error(truth, value),
        "rmse": metrics.root_mean_squared_error(truth, value),
        "mae": metrics.mean_absolute_error(truth, value),
        "r2": metrics.r2_score(truth, value),
    }
    assert {name: estimate.value for name, estimate in found.metrics.items()} == pytest.approx(expected, rel=1e-6)
    assert all(estimate.value in estimate.interval for estimate in found.metrics.values())


def test_r2_of_a_constant_truth_is_zero() -> None:
    outputs = {"value": np.array([[1.0], [2.0], [3.0]])}
    found = evaluate("regression", ("y",), outputs, np.full(3, 2.0), seed=0, parameters={"loss_scale": 1})
    assert found.metrics["r2"].value == 0.0


@pytest.mark.parametrize(
    ("value", "truth"),
    [(np.zeros((0, 1)), np.zeros(0)), (np.zeros((2, 1)), np.zeros(2) * np.nan), (np.full((2, 1), np.inf), np.zeros(2))],
)
def test_values_that_do_not_fit_are_refused(value: Any, truth: Any) -> None:
    with pytest.raises(DataError, match=r"value"):
        evaluate("regression", ("y",), {"value": value}, truth, seed=0, parameters={"loss_scale": 1})


def test_multilabel_metrics_are_scikit_learns() -> None:
    rng = np.random.default_rng(1)
    truth = (rng.random((300, 3)) < [0.5, 0.2, 0.05]).astype(np.uint8)
    p = np.clip(0.25 + 0.5 * truth + rng.normal(scale=0.3, size=truth.shape), 0.01, 0.99)
    predicted = p >= 0.4
    found = evaluate(
        "multilabel", LABELS, {"probabilities": p}, truth, seed=0, resamples=50, parameters={"threshold": 0.4}
    )
    assert found.score.value == pytest.approx(
        metrics.jaccard_score(truth, predicted, average="samples", zero_division=1)
    )
    expected = {
        "exact_match": metrics.accuracy_score(truth, predicted),
        "hamming_loss": metrics.hamming_loss(truth, predicted),
        "log_loss": np.mean([metrics.log_loss(truth[:, i], p[:, i]) for i in range(3)]),
        "roc_auc": metrics.roc_auc_score(truth, p),
        "average_precision": metrics.average_precision_score(truth, p),
    }
    values = {name: estimate.value for name, estimate in found.metrics.items()}
    assert {name: values[name] for name in expected} == pytest.approx(expected)
    for kind in ("macro", "micro", "weighted"):
        scores = metrics.precision_recall_fscore_support(truth, predicted, average=kind, zero_division=0)[:3]
        average = found.averages[kind]
        assert [average.precision.value, average.recall.value, average.f1.value] == pytest.approx(scores)
    single = metrics.precision_recall_fscore_support(truth, predicted, zero_division=0)
    for index, report in enumerate(found.classes):
        figures = [report.scores.precision.value, report.scores.recall.value, report.scores.f1.value, report.support]
        assert figures == pytest.approx([column[index] for column in single])


def test_ranking_metrics_are_scikit_learns() -> None:
    rng = np.random.default_rng(2)
    scores, truth = rng.normal(size=(300, 40)), rng.integers(40, size=300)
    labels = tuple(map(str, range(40)))
    found = evaluate("ranking", labels, {"scores": scores}, truth, seed=0, resamples=50, parameters={"top_k": 5})
    expected = {
        "recall_at_5": metrics.top_k_accuracy_score(truth, scores, k=5, labels=range(40)),
        "ndcg_at_5": metrics.ndcg_score(np.eye(40)[truth], scores, k=5),
        "mrr": metrics.label_ranking_average_precision_score(np.eye(40)[truth], scores),
        "chosen_ratio": 1.0,
    }
    values = {name: estimate.value for name, estimate in found.metrics.items()}
    assert {name: values[name] for name in expected} == pytest.approx(expected)
    assert expected["recall_at_5"] / 5 < values["mrr_at_5"] < values["mrr"]


def test_rows_without_a_choice_count_as_nothing_found() -> None:
    scores = np.tile([3.0, 2.0, 1.0], (4, 1))
    found = evaluate("ranking", LABELS, {"scores": scores}, np.array([0, 0, -1, -1]), seed=0, parameters={"top_k": 2})
    assert found.score.value == 0.5
    assert found.metrics["chosen_ratio"].value == 0.5
    assert found.metrics["mrr"].value == 0.5


@pytest.mark.parametrize("digits", [8, 1], ids=["distinct scores", "many ties"])
def test_roc_auc_and_average_precision_of_classes_are_scikit_learns(digits: int) -> None:
    rng = np.random.default_rng(3)
    p = rng.dirichlet([1.0, 0.6, 0.3], 400)
    truth = (p.cumsum(axis=1) < rng.random((400, 1))).sum(axis=1).clip(max=2)
    p = np.round(p, digits)
    found = evaluate("classification", LABELS, {"probabilities": p}, truth, seed=0, resamples=50)
    holds = np.eye(3)[truth]
    assert found.metrics["roc_auc"].value == pytest.approx(metrics.roc_auc_score(holds, p, average="macro"))
    expected = metrics.average_precision_score(holds, p, average="macro")
    assert found.metrics["average_precision"].value == pytest.approx(expected)
    for index, report in enumerate(found.classes):
        assert report.roc_auc.value == pytest.approx(metrics.roc_auc_score(holds[:, index], p[:, index]))
        assert report.roc_auc.value in report.roc_auc.interval
        single = metrics.average_precision_score(holds[:, index], p[:, index])
        assert report.average_precision.value == pytest.approx(single)


def test_what_one_class_alone_cannot_tell_is_unknown() -> None:
    p = np.tile([0.7, 0.2, 0.1], (30, 1))
    found = evaluate("classification", LABELS, {"probabilities": p}, np.zeros(30, int), seed=0)
    for estimate in (found.metrics["roc_auc"], *(report.roc_auc for report in found.classes)):
        assert (estimate.value, estimate.interval.width) == (0.5, 1.0)


@pytest.mark.parametrize("kind", ["regression", "ranking"])
def test_intervals_cover_the_truth_about_as_often_as_they_say(kind: str) -> None:
    rng = np.random.default_rng(5)
    population = rng.normal(size=(40_000, 10)) + np.eye(10)[np.zeros(40_000, int)]
    labels = ("y",) if kind == "regression" else tuple(map(str, range(10)))
    outputs = {"value": population[:, :1]} if kind == "regression" else {"scores": population}
    truth = np.zeros(40_000, int)
    parameters = {"loss_scale": 3.0, "top_k": 3}

    def judge(chosen: Any, resamples: int) -> Any:
        part = {name: value[chosen] for name, value in outputs.items()}
        return evaluate(kind, labels, part, truth[chosen], seed=0, resamples=resamples, parameters=parameters)

    exact = judge(slice(None), 1).score.value
    covered = [exact in judge(slice(start, start + 400), 200).score.interval for start in range(0, 40_000, 400)]
    assert np.mean(covered) >= 0.86
