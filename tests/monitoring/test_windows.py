from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sqlalchemy import event

from evertune.statistics import finite_population
from monitoring.accuracy import figures, labelled, prediction_powered
from monitoring.windows import WINDOWS_SECONDS, Windows, WindowSums

World = Any  # of conftest.py


def sums(world: World, bundle: Any) -> dict[str, WindowSums]:
    with world.ledger.engine.connect() as connection:
        return Windows().sums(connection, "fashion", bundle.digest, world.clock.now)


def test_each_window_sums_its_own_rows(world: World) -> None:
    bundle, other = world.bundle(), world.bundle(temperature=2.0)
    world.promote(bundle)
    now = world.clock.now
    for age, rows in ((900_000, 3), (500_000, 10), (50_000, 20), (10, 40)):
        world.clock.now = now - age
        predicted = world.predict(bundle, rows, confidence=0.75)
        world.predict(other, 5)
        world.label(predicted[: rows // 2], wrong=0.4)
    world.clock.now = now
    world.evaluator().step()
    found = sums(world, bundle)
    assert list(found) == list(WINDOWS_SECONDS)
    assert [window.predicted for window in found.values()] == [40, 60, 70]
    assert [window.labelled for window in found.values()] == [20, 30, 35]
    assert [window.loss_sum for window in found.values()] == [8, 12, 14]
    week = found["7d"]
    assert week.confidence_sum == pytest.approx(70 * 0.75)
    assert week.variance_sum == pytest.approx(70 * 0.75 * 0.25)
    assert week.surprise_sum == pytest.approx(35 - 14 - 35 * 0.75)
    assert week.surprise_square_sum == pytest.approx(21 * 0.25**2 + 14 * 0.75**2)


def test_a_window_without_rows_is_zero(world: World) -> None:
    assert sums(world, world.bundle()) == dict.fromkeys(WINDOWS_SECONDS, WindowSums())
    assert figures(WindowSums(), calibration_rows=100, random_labels=True) == []


def test_predictions_are_summed_without_touching_the_wide_rows(world: World) -> None:
    statements: list[tuple[str, Any]] = []
    event.listen(world.ledger.engine, "before_cursor_execute", lambda *call: statements.append((call[2], call[3])))
    sums(world, world.bundle())
    reads = [statement for statement in statements if statement[0].startswith("SELECT")]
    with world.ledger.engine.connect() as connection:
        plans = [
            " ".join(str(step[3]) for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", parameters))
            for query, parameters in reads
        ]
    assert len(plans) == 12
    for of_predictions, of_losses, of_horizons in zip(plans[::3], plans[1::3], plans[2::3], strict=True):
        assert "COVERING INDEX ix_predictions_window (model=? AND predicted_at>? AND predicted_at<?)" in of_predictions
        assert "INDEX ix_row_losses_digest (model=? AND digest=? AND predicted_at>? AND predicted_at<?)" in of_losses
        assert "INDEX ix_horizons_unsettled (model=? AND closes_at>?)" in of_horizons


def test_rows_are_counted_once_while_older_sums_are_kept(world: World) -> None:
    bundle, windows, start = world.bundle(), Windows(), world.clock.now
    world.promote(bundle)
    for second in range(0, 7200, 40):
        world.clock.now = start + second
        world.predict(bundle, 1)
    for later in (0.0, 20.0, 59.0, 61.0, 119.0, 299.0, 1000.0):
        now = world.clock.now = start + 7200 + later
        with world.ledger.engine.connect() as connection:
            windows.refresh(connection, "fashion", bundle.digest, now - now % 60)
            found = windows.sums(connection, "fashion", bundle.digest, now)
        assert found["1d"].predicted == found["7d"].predicted == 180
        assert found["1h"].predicted == len([second for second in range(0, 7200, 40) if second >= 3600 + later])


def test_a_label_for_an_old_row_shows_within_a_minute_and_a_new_champion_at_once(world: World) -> None:
    bundle, other, windows = world.bundle(), world.bundle(temperature=2.0), Windows()
    world.promote(bundle)
    rows = world.predict(bundle, 10)
    world.clock.now += 8000

    def labelled_rows(digest: str) -> int:
        with world.ledger.engine.connect() as connection:
            windows.refresh(connection, "fashion", digest, world.clock.now)
            return windows.sums(connection, "fashion", digest, world.clock.now)["1d"].labelled

    assert labelled_rows(bundle.digest) == 0
    world.label(rows, wrong=0.0)
    world.evaluator().step()
    world.clock.now += 61
    assert labelled_rows(bundle.digest) == 10
    assert labelled_rows(other.digest) == 0
    assert labelled_rows(bundle.digest) == 10


def test_a_labelled_window_speaks_about_its_own_rows() -> None:
    everything = labelled(WindowSums(predicted=200, labelled=200, loss_sum=20))
    assert (everything.value, everything.interval.width) == (0.9, 0.0)
    half = labelled(WindowSums(predicted=400, labelled=200, loss_sum=20))
    assert half.interval == finite_population(180, 200, 400, 0.95)


def test_labels_that_outlived_their_predictions_do_not_break_a_window() -> None:
    assert labelled(WindowSums(predicted=0, labelled=10, loss_sum=1)).interval.width == 0.0


def test_prediction_powered_needs_random_and_enough_labels() -> None:
    window = WindowSums(1000, 900.0, 80.0, 200, 20.0, 0.0, 20.0)
    sources = [figure.source for figure in figures(window, calibration_rows=500, random_labels=True)]
    assert sources == ["labelled", "estimated", "prediction_powered"]
    assert "prediction_powered" not in [
        figure.source for figure in figures(window, calibration_rows=500, random_labels=False)
    ]
    few = WindowSums(1000, 900.0, 80.0, 99, 9.0, 0.0, 9.0)
    assert "prediction_powered" not in [
        figure.source for figure in figures(few, calibration_rows=500, random_labels=True)
    ]


def test_prediction_powered_covers_the_windows_accuracy_where_confidence_is_far_off() -> None:
    rng = np.random.default_rng(7)
    population, drawn, covered, rounds = 3000, 300, 0, 300
    confidence = rng.uniform(0.6, 1.0, population)
    right = rng.random(population) < confidence - 0.25  # as under a drift that confidence cannot see
    for _ in range(rounds):
        chosen = rng.choice(population, drawn, replace=False)
        surprise = right[chosen] - confidence[chosen]
        figure = prediction_powered(
            WindowSums(
                population,
                float(confidence.sum()),
                0.0,
                drawn,
                float(drawn - right[chosen].sum()),
                float(surprise.sum()),
                float((surprise**2).sum()),
            )
        )
        covered += float(right.mean()) in figure.interval
    assert covered / rounds > 0.92  # 0.95 less 2.4 standard errors


def test_prediction_powered_never_claims_certainty_from_labels_that_agree() -> None:
    assert prediction_powered(WindowSums(1000, 1000.0, 0.0, 200, 0.0, 0.0, 0.0)).interval.width > 0.005
