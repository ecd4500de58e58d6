"""The report card against scikit-learn's, and its intervals."""

import json

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import confusion_matrix, log_loss, precision_recall_fscore_support

from evertune.errors import DataError, TaskError
from evertune.evaluation import Evaluation, evaluate

LABELS = ("ant", "bee", "cat", "dog")


def _sample(rows: int, seed: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.array([2.0, 1.0, 0.5, 0.5]), rows)
    return probabilities, (probabilities.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1).clip(max=3)


@pytest.mark.parametrize("rows", [5, 400])
def test_figures_are_scikit_learns(rows: int) -> None:
    probabilities, truth = _sample(rows, 1)
    found = evaluate("classification", LABELS, {"probabilities": probabilities}, truth, seed=0, resamples=20)
    predicted = probabilities.argmax(axis=1)
    assert np.array_equal(found.confusion, confusion_matrix(truth, predicted, labels=range(4)))
    assert found.accuracy.value == (truth == predicted).mean()
    assert found.log_loss.value == pytest.approx(log_loss(truth, probabilities, labels=range(4)))
    for kind in ("macro", "micro", "weighted"):
        expected = precision_recall_fscore_support(truth, predicted, average=kind, zero_division=0)[:3]
        scores = found.averages[kind]
        assert [scores.precision.value, scores.recall.value, scores.f1.value] == pytest.approx(expected)
    single = precision_recall_fscore_support(truth, predicted, labels=range(4), zero_division=0)
    for index, report in enumerate(found.classes):
        values = [report.scores.precision.value, report.scores.recall.value, report.scores.f1.value, report.support]
        assert values == pytest.approx([column[index] for column in single])


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    probabilities, truth = _sample(200_000, 2)
    exact = evaluate("classification", LABELS, {"probabilities": probabilities}, truth, seed=0, resamples=1)
    covered = np.zeros(4)
    for seed in range(60):
        probabilities, truth = _sample(400, 100 + seed)
        found = evaluate("classification", LABELS, {"probabilities": probabilities}, truth, seed=seed, resamples=200)
        covered += [
            exact.accuracy.value in found.accuracy.interval,
            exact.log_loss.value in found.log_loss.interval,
            exact.averages["macro"].f1.value in found.averages["macro"].f1.interval,
            exact.classes[1].scores.recall.value in found.classes[1].scores.recall.interval,
        ]
    assert (covered / 60 >= 0.86).all()


def test_the_same_seed_gives_the_same_report_and_json_keeps_it() -> None:
    probabilities, truth = _sample(120, 3)
    outputs = {"probabilities": probabilities.astype(np.float32)}
    first, second = (evaluate("classification", LABELS, outputs, truth, seed=5, resamples=50) for _ in range(2))
    assert first == second
    assert Evaluation.from_json(json.loads(json.dumps(first.to_json(), allow_nan=False))) == first


def test_a_class_that_does_not_occur_is_unknown_not_bad() -> None:
    probabilities = np.tile([0.7, 0.1, 0.1, 0.1], (30, 1))
    found = evaluate("classification", LABELS, {"probabilities": probabilities}, np.zeros(30), seed=0)
    assert found.averages["macro"].f1.value == 1.0
    absent = found.classes[2]
    assert (absent.support, absent.scores.f1.interval.lower, absent.scores.f1.interval.upper) == (0, 0.0, 1.0)
    assert absent.scores.recall.interval.width == 1.0


def test_calibration_error_sees_overconfidence() -> None:
    truth = (np.arange(1_000) % 10 == 0).astype(np.int64)
    honest, bragging = (np.tile([share, 1 - share], (1_000, 1)) for share in (0.9, 0.999))
    errors = [
        evaluate("classification", ("no", "yes"), {"probabilities": p}, truth, seed=0).calibration_error.value
        for p in (honest, bragging)
    ]
    assert errors == pytest.approx([0.0, 0.099], abs=1e-6)


def test_chunks_do_not_change_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    probabilities, truth = _sample(100, 4)
    outputs = {"probabilities": probabilities}
    whole = evaluate("classification", LABELS, outputs, truth, seed=1, resamples=30)
    monkeypatch.setattr("evertune.evaluation._resampling._CHUNK_VALUES", 700)
    chunked = evaluate("classification", LABELS, outputs, truth, seed=1, resamples=30)
    assert chunked.confusion == whole.confusion
    assert figures(chunked) == pytest.approx(figures(whole), rel=1e-12)  # a matrix product may sum in another order


def figures(report: Evaluation) -> list[float]:
    averages = [getattr(each, name) for each in report.averages.values() for name in ("precision", "recall", "f1")]
    classes = [getattr(each.scores, name) for each in report.classes for name in ("precision", "recall", "f1")]
    estimates = [report.accuracy, report.log_loss, report.calibration_error, *averages, *classes]
    return [end for each in estimates for end in (each.value, each.interval.lower, each.interval.upper)]


@pytest.mark.parametrize(
    ("probabilities", "truth", "says"),
    [
        (np.zeros((0, 4)), np.zeros(0), "shape"),
        (np.full((3, 2), 0.5), np.zeros(3), "shape"),
        (np.full((3, 4), 0.25), np.zeros(2), "shape"),
        (np.full((3, 4), np.nan), np.zeros(3), r"\[0, 1\]"),
        (np.full((3, 4), 7.0), np.zeros(3), "softmax"),
        (np.full((3, 4), 0.25), np.array([0, 1, 4]), "labels"),
    ],
)
def test_outputs_and_truth_that_do_not_fit_are_refused(
    probabilities: npt.NDArray[np.float64], truth: npt.NDArray[np.float64], says: str
) -> None:
    with pytest.raises(DataError, match=says):
        evaluate("classification", LABELS, {"probabilities": probabilities}, truth, seed=0)


def test_another_kind_of_task_is_refused() -> None:
    with pytest.raises(TaskError, match="poetry"):
        evaluate("poetry", LABELS, {}, np.zeros(1), seed=0)
