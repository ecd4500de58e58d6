"""Which trial ships, and in which words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from evertune.errors import SearchError
from evertune.settings import LimitSettings
from tune.choice import Choice, choose
from tune.record import TrialRecord

ROWS = 400
LIMITS = LimitSettings(latency_seconds=1e-3, size_bytes=10_000)


def trained(trial_id: str, errors: range, latency: float = 1e-4, size: int = 1000) -> tuple[TrialRecord, Any]:
    """A training that answers these rows wrongly."""
    losses = np.zeros(ROWS, np.float32)
    losses[list(errors)] = 1.0
    score = 1 - float(losses.mean())
    return TrialRecord(trial_id, {}, "completed", score=score, latency_seconds=latency, size_bytes=size), losses


def pick(*trainings: tuple[TrialRecord, Any], allowance: float = 0.05, **options: Any) -> Choice:
    records = [record for record, _ in trainings]
    losses = {record.trial_id: each for record, each in trainings}
    return choose(
        [record for record in records if "." not in record.trial_id],
        finals=[record for record in records if "." in record.trial_id],
        limits=options.pop("limits", LIMITS),
        allowance=allowance,
        losses=losses.get,
        **options,
    )


def test_the_most_accurate_within_the_limits_wins_and_says_so() -> None:
    slow, large, good, worse = (
        trained("0", range(0, 4), latency=1.0),
        trained("1", range(0, 4), size=20_000),
        trained("2", range(0, 40)),
        trained("3", range(100, 300), latency=1e-6),
    )
    choice = pick(slow, large, good, worse)
    assert (choice.trial.trial_id, choice.training, choice.tied) == ("2", "2", ())
    assert choice.reason.startswith("trial 2: accuracy 0.9000 on validation rows, the best within the limits (next is")
    assert [each.trial_id for each in choice.pareto] == ["1", "0", "2", "3"]
    assert pick(slow, worse).reason.endswith("no other trial that was compared is within the limits")
    with pytest.raises(SearchError, match="the most accurate is trial 1: the file has 20,000 bytes"):
        pick(slow, large)
    assert pick(good, worse, limits=LimitSettings(latency_seconds=1e-5)).trial.trial_id == "3"


def test_what_is_within_noise_goes_to_the_faster_then_to_the_smaller() -> None:
    best = trained("0", range(0, 40))
    near = range(36, 80)  # four more errors; most of them on other rows: 1 +- 2.2 points
    choice = pick(best, trained("1", near, latency=5e-5))
    assert choice.trial.trial_id == "1"
    assert choice.tied[0].lead == pytest.approx(0.01)
    assert choice.tied[0].standard_error == pytest.approx(0.0218, abs=1e-4)
    assert "trial 0 has 0.0100 more, within noise (standard error 0.0218), and this one is 2.0 times as fast" in (
        choice.reason
    )
    assert pick(best, trained("1", near, size=500)).reason.endswith("and this one is as fast and smaller")
    assert pick(best, trained("1", near, latency=9.5e-5, size=950)).trial.trial_id == "0"  # not worth it
    assert pick(best, trained("1", near, latency=2e-4, size=500)).trial.trial_id == "0"  # smaller, but slower
    assert pick(best, trained("1", near, latency=5e-5), allowance=0.005).trial.trial_id == "0"


def test_rows_are_compared_in_pairs_so_the_same_errors_and_a_few_more_are_no_noise() -> None:
    assert pick(trained("0", range(0, 40)), trained("1", range(0, 44), latency=5e-5)).trial.trial_id == "0"


def test_without_losses_only_equal_scores_are_tied() -> None:
    first, _ = trained("0", range(0, 40))
    second, _ = trained("1", range(40, 81), latency=5e-5)
    third, _ = trained("2", range(40, 80), latency=5e-5)
    assert pick((first, None), (second, None)).trial.trial_id == "0"
    assert pick((first, None), (third, None)).trial.trial_id == "2"


def test_the_winner_of_the_finals_has_the_best_mean_and_not_the_luckiest_training() -> None:
    lucky = (trained("0", range(0, 20)), trained("0.1", range(0, 60)), trained("0.2", range(0, 61)))
    steady = (trained("1", range(0, 30)), trained("1.1", range(0, 28)), trained("1.2", range(0, 32)))
    other = trained("2", range(0, 25))  # was not among the finalists
    assert pick(lucky[0], steady[0], other).trial.trial_id == "0"
    choice = pick(*lucky, *steady, other)
    assert (choice.trial.trial_id, choice.training) == ("1", "1.1")
    assert choice.accuracy == pytest.approx(1 - 30 / ROWS)
    assert "the mean of 3 trainings" in choice.reason
    assert [each.trial.trial_id for each in choice.contenders] == ["1", "0"]
    assert choice.to_json()["contenders"][0]["trainings"].keys() == {"1", "1.1", "1.2"}


def test_a_finalist_that_fails_with_another_seed_or_is_too_slow_when_alone_is_out() -> None:
    good, sound = trained("0", range(0, 20)), trained("1", range(0, 30))
    again = trained("1.1", range(0, 30))
    failed = (TrialRecord("0.1", {}, "failed", error="NaN"), None)
    assert pick(good, sound, failed, again).trial.trial_id == "1"
    assert pick(good, sound, failed).trial.trial_id == "1"
    assert pick(good, failed).trial.trial_id == "0"  # there is nothing else
    steady = trained("0.1", range(0, 20))
    assert pick(good, sound, steady, again).trial.trial_id == "0"
    assert pick(good, sound, steady, again, latencies={"0": 2e-3}).trial.trial_id == "1"
    other = trained("2", range(0, 50))
    assert pick(good, other, steady, latencies={"0": 2e-3}).trial.trial_id == "2"
