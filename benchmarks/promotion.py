"""How often the promotion test promotes what is not better, and finds what is."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import binom

from benchmarks._harness import Benchmark, Options, Outcome, Target
from evertune.statistics import spend
from evertune.statistics.paired_p_value import paired_p_value

_ERROR_RATE, _MARGIN = 0.05, 0.01
_DISAGREEMENT = 0.16  # two good models of one task that are wrong on different rows: 8% each
_LARGEST_DISAGREEMENT = 0.5  # above it a gate is not about two models of one task
_GAINS = (0.02, 0.04, 0.06, 0.08)

Vector = npt.NDArray[np.float64]


def run(options: Options) -> Outcome:
    """Exact size and power, by summing over all tables: nothing random, so the seed changes nothing."""
    sizes, gates = ((300, 1_000), 3) if options.quick else ((300, 1_000, 3_000), 8)
    figures: dict[str, float] = {}
    targets: dict[str, Target] = {}
    for rows in sizes:
        for margin, name in ((0.0, "superiority"), (_MARGIN, "noninferiority")):
            bars = _bars(rows, margin)
            size = f"false_promotion_max_ratio_{name}_{rows}_rows"
            figures[size] = _size(rows, margin, bars)
            targets[size] = ("<=", _ERROR_RATE)
            for gain in _GAINS:
                better = (_DISAGREEMENT + gain) / 2
                power = _promoted(rows, bars, _DISAGREEMENT - better, better)
                figures[f"power_ratio_{name}_{rows}_rows_{round(100 * gain)}_points"] = power
            print(f"{rows} rows, {name}: largest false promotion rate {figures[size]:.4f}", flush=True)
    figures["false_promotion_max_ratio_per_reign"] = _repeated(300, gates)
    targets["false_promotion_max_ratio_per_reign"] = ("<=", _ERROR_RATE)
    targets["power_ratio_superiority_1000_rows_4_points"] = (">=", 0.9)
    return Outcome(figures, targets, _settings(sizes, gates))


def _settings(sizes: tuple[int, ...], gates: int) -> dict[str, Any]:
    return {
        "error_rate": _ERROR_RATE,
        "margin": _MARGIN,
        "rows": list(sizes),
        "disagreement_ratio": _DISAGREEMENT,
        "gates_per_reign": gates,
    }


def _bars(rows: int, margin: float, error_rate: float = _ERROR_RATE) -> Vector:
    """For each number of disagreements the fewest wins that promote; one more than all where none do."""
    most = min(rows, int(binom.isf(1e-9, rows, _LARGEST_DISAGREEMENT)))

    def promotes(total: int, wins: int) -> bool:
        return wins > total or (
            wins >= 0 and paired_p_value(total - wins, wins, rows, margin, error_rate, decide=True) <= error_rate
        )

    bars, bar = np.empty(most + 1), 0
    for total in range(most + 1):  # from the neighbour's bar, up or down to this one's
        while not promotes(total, bar):
            bar += 1
        while promotes(total, bar - 1):
            bar -= 1
        bars[total] = bar
    return bars


def _promoted(rows: int, bars: Vector, worse: float, better: float) -> float:
    """P(promoted): binomial number of disagreements, binomial wins among them."""
    totals, rate = np.arange(len(bars)), worse + better
    if rate == 0:
        return float(bars[0] == 0)
    wins = binom.sf(bars - 1, totals, better / rate)
    return float(binom.pmf(totals, rows, rate) @ wins)


def _size(rows: int, margin: float, bars: Vector) -> float:
    """The largest P(promoted) over challengers that are worse by exactly the margin: the worst case."""
    rates = np.concatenate([np.linspace(margin, 0.05, 400), np.linspace(0.05, _LARGEST_DISAGREEMENT, 1_200)])
    return max(_promoted(rows, bars, (rate + margin) / 2, (rate - margin) / 2) for rate in rates)


def _repeated(rows: int, gates: int) -> float:
    """Largest P(a champion loses to any of the challengers), all of them exactly as good, each on fresh rows."""
    all_bars = [_bars(rows, 0.0, spend(_ERROR_RATE, k)) for k in range(1, gates + 1)]
    return max(
        1 - float(np.prod([1 - _promoted(rows, bars, rate / 2, rate / 2) for bars in all_bars]))
        for rate in np.linspace(0.005, _LARGEST_DISAGREEMENT, 400)
    )


BENCHMARK = Benchmark(
    summary="false promotion rate of the gate (exact, A/A and repeated) and its power at given gains",
    duration="about 10 min; --quick 2 min",
    run=run,
)
