from __future__ import annotations

from typing import Any

import keras_tuner
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from tune.space import Parameter, active, is_conditional, key, walk


def visit(space: list[Any], wanted: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Values and names, in the order of the walk, where each parameter gets the wanted value or its default."""
    names: list[str] = []
    values: dict[str, Any] = {}
    for parameter, hp, known in walk(space):
        names.append(hp.name)
        if parameter is not None:
            known[hp.name] = wanted.get(hp.name, hp.default)
        values = known
    return dict(values), names


def only(hps: keras_tuner.HyperParameters) -> Parameter:
    (parameter,) = [parameter for parameter, hp, known in walk(hps.space) if parameter is not None]
    return parameter


def test_each_kind_gets_the_distribution_that_has_its_order_and_scale() -> None:
    hps = keras_tuner.HyperParameters()
    hps.Int("int", 1, 10, step=4)
    hps.Int("log int", 8, 512, sampling="log")
    hps.Float("float", 0.0, 1.0)
    hps.Float("log float", 1e-4, 1.0, sampling="log")
    hps.Float("steps", 0.0, 0.3, step=0.1)
    hps.Choice("words", ["a", "b"])
    hps.Choice("numbers", [0.0, 0.9, 0.95])
    hps.Choice("unordered", [1, 2], ordered=False)
    hps.Boolean("flag")
    found = {hp.name: parameter.distribution for parameter, hp, _ in walk(hps.space) if parameter is not None}
    assert found == {
        "int": IntDistribution(1, 9, step=4),
        "log int": IntDistribution(8, 512, log=True),
        "float": FloatDistribution(0.0, 1.0),
        "log float": FloatDistribution(1e-4, 1.0, log=True),
        "steps": FloatDistribution(0.0, 0.3, step=0.1),
        "words": CategoricalDistribution(["a", "b"]),
        "numbers": IntDistribution(0, 2),
        "unordered": CategoricalDistribution([1, 2]),
        "flag": CategoricalDistribution([False, True]),
    }


def test_an_ordered_choice_is_an_index_to_the_sampler_and_a_value_to_the_task() -> None:
    hps = keras_tuner.HyperParameters()
    hps.Choice("momentum", [0.0, 0.9, 0.95])
    parameter = only(hps)
    assert [parameter.to_value(index) for index in range(3)] == [0.0, 0.9, 0.95]
    assert parameter.to_internal(0.95) == 2
    with pytest.raises(ValueError, match=r"0\.5"):
        parameter.to_internal(0.5)


@pytest.mark.parametrize(
    "declare",
    [
        lambda hps: hps.Int("x", 2, 32, step=2, sampling="log"),
        lambda hps: hps.Float("x", 1e-3, 10.0, step=10, sampling="log"),
        lambda hps: hps.Int("x", 1, 100, sampling="reverse_log"),
        lambda hps: hps.Float("x", 1.0, 100.0, sampling="reverse_log"),
        lambda hps: hps.Float("x", 1.0, 27.0, step=3, sampling="reverse_log"),
    ],
)
def test_what_the_sampler_has_no_distribution_for_goes_through_the_unit_interval(declare: Any) -> None:
    hps = keras_tuner.HyperParameters()
    declare(hps)
    parameter = only(hps)
    assert parameter.distribution == FloatDistribution(0.0, 1.0)
    low, high = parameter.hp.min_value, parameter.hp.max_value
    for number in range(101):
        value = parameter.to_value(number / 100)
        assert low * (1 - 1e-9) <= value <= high * (1 + 1e-9)
        assert parameter.to_value(parameter.to_internal(value)) == pytest.approx(value)


@pytest.mark.parametrize(
    ("declare", "wrong"),
    [
        (lambda hps: hps.Int("x", 2, 32, step=2, sampling="log"), [5, 33, 64, 1, 0, "8"]),
        (lambda hps: hps.Float("x", 1e-3, 10.0, step=10, sampling="log"), [0.5, 100.0, -1.0]),
        (lambda hps: hps.Float("x", 1.0, 100.0, sampling="reverse_log"), [0.5, 100.5, 1000.0]),
        (lambda hps: hps.Int("x", 1, 10, step=4), [2, 11, 0, None]),
        (lambda hps: hps.Float("x", 0.0, 0.3, step=0.1), [0.15, 0.4, "a"]),
        (lambda hps: hps.Float("x", 0.0, 1.0), [1.5, float("nan")]),
        (lambda hps: hps.Choice("x", ["a", "b"]), ["c", 1, None]),
        (lambda hps: hps.Boolean("x"), ["yes", None]),
    ],
)
def test_values_outside_the_space_are_recognised(declare: Any, wrong: list[Any]) -> None:
    hps = keras_tuner.HyperParameters()
    declare(hps)
    parameter = only(hps)
    for value in wrong:
        with pytest.raises((ValueError, TypeError)):
            parameter.to_internal(value)


def test_hyperparameters_under_a_condition_that_does_not_hold_are_left_out() -> None:
    hps = keras_tuner.HyperParameters()
    hps.Choice("family", ["cnn", "mlp"])
    with hps.conditional_scope("family", ["mlp"]):
        hps.Int("layers", 1, 3)
        with hps.conditional_scope("layers", [2, 3]):
            hps.Int("second", 8, 16)
    with hps.conditional_scope("family", ["cnn"]):
        hps.Int("filters", 4, 8)
    assert is_conditional(hps.space)
    assert visit(hps.space, {}) == ({"family": "cnn", "filters": 4}, ["family", "filters"])
    assert visit(hps.space, {"family": "mlp"})[1] == ["family", "layers"]
    assert visit(hps.space, {"family": "mlp", "layers": 2})[0] == {"family": "mlp", "layers": 2, "second": 8}


def test_a_fixed_value_is_part_of_the_trial_and_nothing_to_sample() -> None:
    hps = keras_tuner.HyperParameters()
    hps.Fixed("version", 3)
    hps.Boolean("flag")
    found = [(parameter is None, hp.name) for parameter, hp, _ in walk(hps.space)]
    assert found == [(True, "version"), (False, "flag")]
    assert visit(hps.space, {"version": 4})[0] == {"version": 3, "flag": False}


def test_one_name_under_two_conditions_is_two_parameters() -> None:
    hps = keras_tuner.HyperParameters()
    hps.Choice("optimizer", ["adam", "sgd"])
    with hps.conditional_scope("optimizer", ["adam"]):
        hps.Float("rate", 1e-4, 1e-2, sampling="log", default=1e-3)
    with hps.conditional_scope("optimizer", ["sgd"]):
        hps.Float("rate", 1e-2, 1.0, sampling="log", default=1e-1)
    assert len({key(hp) for hp in hps.space}) == 3
    assert visit(hps.space, {})[0] == {"optimizer": "adam", "rate": 1e-3}
    assert visit(hps.space, {"optimizer": "sgd"})[0] == {"optimizer": "sgd", "rate": 1e-1}


def test_one_name_twice_under_conditions_that_both_hold_is_asked_for_once() -> None:
    hps = keras_tuner.HyperParameters()
    hps.Choice("optimizer", ["adam", "adamw"])
    with hps.conditional_scope("optimizer", ["adam", "adamw"]):
        hps.Float("rate", 1e-4, 1e-2)
    with hps.conditional_scope("optimizer", ["adam"]):
        hps.Float("rate", 1e-3, 1e-2)
    assert visit(hps.space, {})[1] == ["optimizer", "rate"]


def test_only_active_values_of_a_trial_are_kept() -> None:
    hps = keras_tuner.HyperParameters()
    hps.Choice("family", ["cnn", "mlp"])
    with hps.conditional_scope("family", ["mlp"]):
        hps.Int("layers", 1, 3)
    assert active(hps.space, {"family": "cnn", "layers": 2, "unknown": 1}) == {"family": "cnn"}
    assert active(hps.space, {"family": "mlp", "layers": 2}) == {"family": "mlp", "layers": 2}
