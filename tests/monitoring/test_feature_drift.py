from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from evertune.ledger import Prediction
from monitoring.feature_drift import FeatureDrift, FeatureDrifts, distance, threshold
from monitoring.features import features

World = Any  # of conftest.py
_SAMPLE = st.lists(st.integers(-5, 5), min_size=2, max_size=40).map(lambda values: np.array(values, np.float64))


def look(world: World, bundle: Any, drifts: FeatureDrifts | None = None, since: float = 0) -> FeatureDrift | None:
    drifts = drifts or FeatureDrifts()
    with world.ledger.read() as connection:
        drifts.refresh(connection, "fashion", bundle.digest, since, world.clock.now)
    return drifts.of("fashion", bundle.digest)


def predict(world: World, bundle: Any, rows: int, mean: float) -> None:
    world.clock.now += 10
    world.predict(bundle, rows, mean=mean)


@given(_SAMPLE, _SAMPLE)
def test_the_distance_is_scipys(first: Any, second: Any) -> None:
    assert distance(first, second) == pytest.approx(ks_2samp(first, second, method="asymp").statistic)


def test_where_nothing_moves_the_threshold_is_passed_as_seldom_as_it_says() -> None:
    random, passed = np.random.default_rng(0), 0
    for _ in range(600):
        first, second = random.normal(size=(2, 5, 300))
        passed += max(map(distance, first, second)) > threshold(300, 300, 5)
    assert passed <= 12  # 6 expected at most; 13 or more have a chance below 1%


def test_the_feature_that_moves_is_named_and_the_other_stays(world: World) -> None:
    bundle = world.bundle()
    predict(world, bundle, 300, mean=0.0)
    predict(world, bundle, 280, mean=2.0)
    found = look(world, bundle)
    assert found is not None
    assert next(iter(found.statistics)) == "x[0]"
    assert found.statistics["x[0]"] > 0.6 > found.threshold
    assert found.statistics["x[1]"] < found.threshold
    assert set(found.statistics) == {"x[0]", "x[1]", "confidence", "predicted"}


def test_too_few_rows_say_nothing(world: World) -> None:
    bundle = world.bundle()
    assert look(world, bundle) is None
    predict(world, bundle, 300, mean=0.0)
    predict(world, bundle, 99, mean=2.0)
    assert look(world, bundle) is None
    predict(world, bundle, 1, mean=2.0)
    assert look(world, bundle) is not None


def test_rows_of_another_bundle_or_an_earlier_tenure_or_without_inputs_do_not_count(world: World) -> None:
    bundle, other = world.bundle(), world.bundle(temperature=2.0)
    predict(world, bundle, 300, mean=9.0)
    deployed_at = world.clock.now + 5
    predict(world, other, 300, mean=9.0)
    world.predict(bundle, 300)
    predict(world, bundle, 300, mean=0.0)
    predict(world, bundle, 280, mean=0.0)
    found = look(world, bundle, since=deployed_at)
    assert found is not None
    assert found.statistics["x[0]"] < found.threshold


def test_it_looks_again_after_a_minute(world: World) -> None:
    bundle, drifts = world.bundle(), FeatureDrifts()
    predict(world, bundle, 300, mean=0.0)
    predict(world, bundle, 300, mean=0.0)
    before = look(world, bundle, drifts)
    predict(world, bundle, 300, mean=3.0)
    assert look(world, bundle, drifts) == before
    world.clock.now += 60
    after = look(world, bundle, drifts)
    assert after is not None
    assert after.statistics["x[0]"] > after.threshold


def test_a_picture_is_told_by_mean_and_spread_and_text_is_left_out() -> None:
    inputs = {"image": np.arange(200, dtype=np.uint8).reshape(2, 10, 10), "note": np.array(["a", "b"])}
    batch = [Prediction("id", "m", "d", 0.0, {"y": np.zeros((2, 1))}, np.ones(2, np.float32), inputs=inputs)]
    found = features(batch)
    assert sorted(found) == ["confidence", "image.mean", "image.spread"]
    assert found["image.mean"].tolist() == [49.5, 149.5]


def test_no_more_than_twenty_features_are_shown(world: World) -> None:
    bundle = world.bundle()
    for mean in (0.0, 1.0, 2.0):
        world.clock.now += 10
        rows = np.random.default_rng(0).normal(mean, 1, (200, 60)).astype(np.float32)
        inputs = {f"column {number}": rows[:, number] for number in range(60)}
        world.ledger.predictions.add_many(
            [
                Prediction(
                    f"{mean}-{index}",
                    "fashion",
                    bundle.digest,
                    world.clock.now,
                    {"y": np.zeros((4, 1), np.float32)},
                    np.ones(4, np.float32),
                    inputs={name: values[index * 4 : index * 4 + 4] for name, values in inputs.items()},
                )
                for index in range(50)
            ]
        )
    found = look(world, bundle)
    assert found is not None
    assert len(found.statistics) == 20
