"""Which precision ships, and in which words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from evertune.errors import ExportError
from evertune.settings import ExportSettings, LimitSettings
from evertune.statistics import Interval
from export.candidate import Candidate
from export.choose import choose

SETTINGS = ExportSettings(allowance_ratio=0.01)
LIMITS = LimitSettings(latency_seconds=0.010, size_bytes=10_000)


def fp32(**changes: Any) -> Candidate:
    facts: dict[str, Any] = {
        "model_bytes": bytes(4000),
        "latency_seconds": {1: 0.001, 64: 0.004},
        "latency_ratio": {1: 1.0, 64: 1.0},
        "accuracy": 0.9,
    }
    return Candidate("fp32", **(facts | changes))


def int8(recipe: str = "int8-dynamic", **changes: Any) -> Candidate:
    facts: dict[str, Any] = {
        "model_bytes": bytes(1000),
        "size_ratio": 0.25,
        "latency_seconds": {1: 0.0005, 64: 0.002},
        "latency_ratio": {1: 0.5, 64: 0.5},
        "accuracy": 0.899,
        "difference": Interval(-0.002, 0.004, 0.95),
    }
    return Candidate(recipe, **(facts | changes))


def pick(*candidates: Candidate, limits: LimitSettings = LIMITS) -> tuple[dict[str, str | None], str, str]:
    judged, chosen, reason = choose(candidates, settings=SETTINGS, limits=limits)
    return {candidate.recipe: candidate.refused for candidate in judged}, chosen.recipe, reason


def test_smaller_faster_and_within_the_allowance_ships() -> None:
    refused, chosen, reason = pick(fp32(), int8())
    assert chosen == "int8-dynamic"
    assert refused["int8-dynamic"] is None
    assert refused["fp32"] == "int8-dynamic is smaller or faster within the accuracy allowed"
    assert "0.25 times the size and 0.50 times the latency" in reason
    assert "at most 0.40% accuracy (95%)" in reason


def test_what_takes_more_memory_than_allowed_does_not_ship() -> None:
    tight = LIMITS.model_copy(update={"memory_bytes": 500})
    refused, chosen, _ = pick(fp32(memory_bytes=400), int8(memory_bytes=600), limits=tight)
    assert chosen == "fp32"
    assert refused["int8-dynamic"] == "it takes 600 bytes of memory, over limits.memory_bytes = 500"
    with pytest.raises(ExportError, match=r"it takes 600 bytes of memory"):
        pick(fp32(memory_bytes=600), limits=tight)
    assert pick(fp32(memory_bytes=600), int8(memory_bytes=400), limits=tight)[1] == "int8-dynamic"
    assert pick(fp32(), limits=tight)[1] == "fp32"  # not measured


def test_slower_int8_does_not_ship_however_small() -> None:
    slow = int8(latency_ratio={1: 0.5, 64: 1.2})
    refused, chosen, reason = pick(fp32(), slow)
    assert chosen == "fp32"
    assert refused["int8-dynamic"] == "takes 1.20 times as long as FP32 at batch 64"
    assert "takes 1.20 times as long" in reason


def test_as_fast_and_smaller_ships() -> None:
    assert pick(fp32(), int8(latency_ratio={1: 1.04, 64: 1.0}))[1] == "int8-dynamic"


def test_not_smaller_must_be_really_faster() -> None:
    larger: dict[str, Any] = {"size_ratio": 1.1, "model_bytes": bytes(4400)}
    assert pick(fp32(), int8(latency_ratio={1: 0.95, 64: 0.95}, **larger))[1] == "fp32"
    assert pick(fp32(), int8(latency_ratio={1: 0.8, 64: 0.8}, **larger))[1] == "int8-dynamic"


def test_an_interval_beyond_the_allowance_does_not_ship() -> None:
    certain = int8(difference=Interval(0.005, 0.03, 0.95))
    refused, chosen, _ = pick(fp32(), certain)
    assert (chosen, refused["int8-dynamic"]) == ("fp32", "may cost up to 3.00% accuracy (95%), 1.00% is allowed")
    unsure = int8(difference=Interval(-0.02, 0.03, 0.95))
    assert str(pick(fp32(), unsure)[0]["int8-dynamic"]).endswith("the validation rows are too few to rule that out")


def test_the_fastest_ships_and_what_seems_safer_on_other_rows_breaks_ties() -> None:
    fast = int8("int8-static-all", latency_ratio={1: 0.4, 64: 0.4}, risk=0.001)
    refused, chosen, _ = pick(fp32(), int8(), fast)
    assert chosen == "int8-static-all"
    assert refused["int8-dynamic"] == "int8-static-all is faster, or as fast and smaller"
    as_fast = int8("int8-static-matmul", latency_ratio={1: 0.51, 64: 0.5}, accuracy=0.8, risk=-0.001)
    refused, chosen, _ = pick(fp32(), int8(), as_fast)
    assert chosen == "int8-static-matmul"  # the rows that judge break no tie
    assert str(refused["int8-dynamic"]).startswith("int8-static-matmul is as fast and as small, and closer to FP32")


def test_of_those_as_fast_the_smaller_ships() -> None:
    half = int8("fp16", size_ratio=0.5, model_bytes=bytes(2000))
    assert pick(fp32(), half, int8(risk=0.001))[1] == "int8-dynamic"


def test_of_those_as_fast_at_the_batch_that_counts_the_one_faster_at_others_ships_before_the_smaller() -> None:
    smaller = int8("int4", latency_ratio={1: 0.49, 64: 0.9}, size_ratio=0.16, risk=0.001)
    assert pick(fp32(), int8(), smaller)[1] == "int8-dynamic"
    safer = int8("int4", latency_ratio={1: 0.49, 64: 0.9}, size_ratio=0.16, risk=-0.001)
    assert pick(fp32(), int8(), safer)[1] == "int8-dynamic"


def test_the_sequence_ends_at_the_first_that_may_lose_more_than_allowed() -> None:
    safe = int8("int8-weights", risk=0.0, difference=Interval(-0.002, 0.02, 0.95))
    lucky = int8("int8-static-all", risk=0.001, latency_ratio={1: 0.3, 64: 0.3})
    refused, chosen, _ = pick(fp32(), lucky, safe)
    assert chosen == "fp32"
    assert refused["int8-static-all"] == (
        "not tested: int8-weights, which seemed the safer one on other rows, may cost more than allowed"
    )


def test_what_is_left_out_of_the_sequence_names_the_one_that_is_as_cheap() -> None:
    first = int8("int8-weights", risk=-0.002, latency_ratio={1: 0.9, 64: 0.9})
    second = int8("int8-static-all", risk=-0.001, latency_ratio={1: 0.4, 64: 0.4})
    third = int8("int8-dynamic", risk=0.001, latency_ratio={1: 0.5, 64: 0.5})  # faster than the first
    refused, chosen, _ = pick(fp32(), third, second, first)
    assert chosen == "int8-static-all"
    assert str(refused["int8-dynamic"]).startswith("int8-static-all is as fast and as small, and closer to FP32")


def test_many_candidates_at_the_edge_of_the_allowance_ship_no_more_often_than_one_would() -> None:
    rng, runs, error, deviation = np.random.default_rng(0), 3000, 0.025, 0.002
    names = [f"int8-{number}" for number in range(6)]
    ratios = [0.9 - 0.1 * number for number in range(6)]
    shipped = one_by_one = 0
    for _ in range(runs):
        means = SETTINGS.allowance_ratio + deviation * rng.standard_normal(6)
        intervals = [Interval(mean - 1.96 * deviation, mean + 1.96 * deviation, 0.95) for mean in means]
        candidates = [
            int8(name, difference=interval, latency_ratio={1: ratio, 64: ratio}, risk=float(risk))
            for name, interval, ratio, risk in zip(names, intervals, ratios, rng.permutation(6), strict=True)
        ]
        shipped += pick(fp32(), *candidates)[1] != "fp32"
        one_by_one += any(interval.upper <= SETTINGS.allowance_ratio for interval in intervals)
    assert shipped / runs <= error + 3 * (error * (1 - error) / runs) ** 0.5
    assert one_by_one / runs > 4 * error  # what shipping the first that passes would do


def test_the_batch_that_the_task_names_decides() -> None:
    limits = LimitSettings(latency_seconds=0.010, size_bytes=10_000, batch_rows=64)
    ones = int8("int8-dynamic", latency_ratio={1: 0.4, 64: 0.9})
    many = int8("int8-static-all", latency_ratio={1: 0.9, 64: 0.4})
    assert pick(fp32(), ones, many)[1] == "int8-dynamic"
    assert pick(fp32(), ones, many, limits=limits)[1] == "int8-static-all"
    with pytest.raises(ExportError, match=r"64 rows take 4 ms, over limits\.latency_seconds = 3 ms"):
        pick(fp32(), limits=limits.model_copy(update={"latency_seconds": 0.003}))


def test_a_gain_that_the_interval_does_not_show_does_not_ship() -> None:
    unsure = int8(latency_ratio={1: 0.95, 64: 0.9}, latency_interval={1: Interval(0.8, 1.2, 0.95)})
    refused, chosen, _ = pick(fp32(), unsure)
    assert (chosen, refused["int8-dynamic"]) == ("fp32", "may take 1.20 times as long as FP32 at batch 1")
    sure = int8(latency_ratio={1: 0.95, 64: 0.9}, latency_interval={1: Interval(0.93, 0.97, 0.95)})
    assert pick(fp32(), sure)[1] == "int8-dynamic"


def test_a_recipe_that_failed_keeps_its_reason() -> None:
    refused, chosen, reason = pick(fp32(), Candidate("int8-static-all", refused="ONNX Runtime's quantizer fails"))
    assert (chosen, refused["int8-static-all"]) == ("fp32", "ONNX Runtime's quantizer fails")
    assert "quantizer fails" in reason


def test_a_limit_that_only_int8_keeps() -> None:
    refused, chosen, reason = pick(fp32(), int8(), limits=LimitSettings(latency_seconds=0.010, size_bytes=2000))
    assert chosen == "int8-dynamic"
    assert refused["fp32"] == "the file has 4,000 bytes, over limits.size_bytes = 2,000"
    assert "FP32 is over a limit" in reason


def test_nothing_within_the_limits_is_an_error_that_names_them() -> None:
    with pytest.raises(ExportError, match=r"over limits\.latency_seconds = 0\.1 ms.*Raise \[limits\]"):
        pick(fp32(), int8(), limits=LimitSettings(latency_seconds=0.0001))


def test_the_smaller_model_beyond_the_allowance_is_no_way_around_a_limit() -> None:
    with pytest.raises(ExportError, match="no precision of the model is within the limits"):
        pick(fp32(), int8(difference=Interval(0.02, 0.03, 0.95)), limits=LimitSettings(size_bytes=2000))
