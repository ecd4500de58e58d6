"""Which precision ships."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

from evertune.settings import ExportSettings, LimitSettings
from export.candidate import Candidate
from export.over_limits import OverLimitsError

SLOWER_RATIO = 1.05  # two loads of one and the same file differ by up to this
FASTER_RATIO = 1 / 1.1  # what counts as faster when nothing else is gained
_GAIN_RATIO = 1.05  # of latency or size; less is not worth a riskier precision


def choose(
    candidates: Sequence[Candidate], *, settings: ExportSettings, limits: LimitSettings
) -> tuple[tuple[Candidate, ...], Candidate, str]:
    """Picks what ships and writes down why each other one does not.

    Tests in a fixed sequence, which together ship a precision that costs more than allowed with probability 2.5% at
    most (docs/adr/0007). Without a look at the rows that judge: what gains nothing or is over a limit is left out; the
    rest is put in order of `risk`, and of these each is kept that is faster, or as fast and smaller, than all before
    it. Then, in that order, each is tested on the validation rows, up to the first whose loss may be more than allowed
    (upper end of the 95% interval). The last that passed ships, else FP32.

    Args:
        candidates: FP32 first, all measured unless `refused` is set.
        settings: The allowance.
        limits: Batch, its latency, size, and memory.

    Returns:
        The candidates with `refused` filled in, the chosen one, and the reason.

    Raises:
        OverLimitsError: None is within the limits; names the closest and its figures.
    """
    fp32 = replace(candidates[0], refused=_over(candidates[0], limits))
    sequence = _sequence([each for each in candidates[1:] if gains(each, limits)], limits.batch_rows)
    passed = list(itertools.takewhile(lambda each: _accuracy_reason(each, settings) is None, sequence))
    chosen = passed[-1] if passed else fp32
    if chosen.refused is not None:
        raise _none_fits(fp32, limits)

    def marked(each: Candidate) -> Candidate:
        reason = each.refused or _accuracy_reason(each, settings) or too_slow(each, limits.batch_rows)
        return replace(each, refused=reason or _over(each, limits) or _beaten(each, chosen, sequence, passed, limits))

    judged = tuple(each if each is chosen else marked(each) for each in candidates[1:])
    if chosen is fp32:
        return (fp32, *judged), fp32, _why_fp32(judged)
    shipped = f"{chosen.recipe} is smaller or faster within the accuracy allowed"
    why = _why_quantized(chosen, fp32, settings, limits)
    return (replace(fp32, refused=fp32.refused or shipped), *judged), chosen, why


def over_limits(
    latency_seconds: float, size_bytes: int, limits: LimitSettings, *, memory_bytes: int | None = None
) -> str | None:
    """Which limit is broken, in words; None if none is. Memory that was not measured breaks none."""
    if latency_seconds > limits.latency_seconds:
        what = "one row takes" if limits.batch_rows == 1 else f"{limits.batch_rows} rows take"
        return (
            f"{what} {latency_seconds * 1e3:.3g} ms, over limits.latency_seconds = "
            f"{limits.latency_seconds * 1e3:.3g} ms"
        )
    if size_bytes > limits.size_bytes:
        return f"the file has {size_bytes:,} bytes, over limits.size_bytes = {limits.size_bytes:,}"
    if memory_bytes is not None and limits.memory_bytes and memory_bytes > limits.memory_bytes:
        return f"it takes {memory_bytes:,} bytes of memory, over limits.memory_bytes = {limits.memory_bytes:,}"
    return None


def too_slow(candidate: Candidate, batch_rows: int = 1) -> str | None:
    """Why a quantized candidate's speed and size do not make up for the risk; None where they do.

    At the task's batch the interval must tell, not the median alone.
    """
    ratios = dict(candidate.latency_ratio)
    if batch_rows in candidate.latency_interval:
        ratios[batch_rows] = candidate.latency_interval[batch_rows].upper
    size = max(ratios, key=lambda batch: ratios[batch])
    slowest = ratios[size]
    if slowest <= FASTER_RATIO or (candidate.size_ratio < 1 and slowest <= SLOWER_RATIO):
        return None
    unsure = "may take" if slowest > candidate.latency_ratio[size] else "takes"
    return f"{unsure} {slowest:.2f} times as long as FP32 at batch {size}"


def _over(candidate: Candidate, limits: LimitSettings) -> str | None:
    latency_seconds, memory_bytes = candidate.latency_seconds[limits.batch_rows], candidate.memory_bytes
    return over_limits(latency_seconds, candidate.size_bytes, limits, memory_bytes=memory_bytes)


def gains(candidate: Candidate, limits: LimitSettings) -> bool:
    """Whether it may be worth a test; no row that judges has a part in this."""
    return candidate.refused is None and (too_slow(candidate, limits.batch_rows) or _over(candidate, limits)) is None


def _sequence(candidates: list[Candidate], batch_rows: int) -> list[Candidate]:
    found: list[Candidate] = []
    for each in sorted(candidates, key=lambda candidate: (candidate.risk, candidate.latency_ratio[batch_rows])):
        if all(_is_cheaper(each, before, batch_rows) for before in found):
            found.append(each)
    return found


def _is_cheaper(one: Candidate, other: Candidate, batch_rows: int) -> bool:
    for mine, theirs in zip(_costs(one, batch_rows), _costs(other, batch_rows), strict=True):
        if mine * _GAIN_RATIO < theirs or theirs * _GAIN_RATIO < mine:
            return mine < theirs
    return False


def _costs(candidate: Candidate, batch_rows: int) -> tuple[float, float, float]:
    """Latency at the task's batch; as fast there, over all sizes of batch; as fast in both, size."""
    ratios = candidate.latency_ratio
    mean = math.exp(sum(map(math.log, ratios.values())) / len(ratios))
    return ratios[batch_rows], mean, candidate.size_ratio


def _accuracy_reason(candidate: Candidate, settings: ExportSettings) -> str | None:
    difference, allowed = candidate.difference, settings.allowance_ratio
    if difference is None:
        return "its accuracy was not measured"
    if difference.upper <= allowed:
        return None
    unsure = ": the validation rows are too few to rule that out" if difference.lower <= 0 else ""
    return f"may cost up to {difference.upper:.2%} accuracy (95%), {allowed:.2%} is allowed{unsure}"


def _beaten(
    candidate: Candidate, chosen: Candidate, sequence: list[Candidate], passed: list[Candidate], limits: LimitSettings
) -> str:
    """Why a candidate that nothing speaks against does not ship."""
    if any(each is candidate for each in passed):
        return f"{chosen.recipe} is faster, or as fast and smaller"
    if any(each is candidate for each in sequence):
        stopped_by = sequence[len(passed)].recipe
        return f"not tested: {stopped_by}, which seemed the safer one on other rows, may cost more than allowed"
    better = next(
        each for each in sequence if each.risk <= candidate.risk and not _is_cheaper(candidate, each, limits.batch_rows)
    )
    return f"{better.recipe} is as fast and as small, and closer to FP32 on calibration and training rows"


def _why_quantized(chosen: Candidate, fp32: Candidate, settings: ExportSettings, limits: LimitSettings) -> str:
    assert chosen.difference is not None  # it passed
    rows = "one row" if limits.batch_rows == 1 else f"{limits.batch_rows} rows"
    reason = (
        f"{chosen.recipe}: {chosen.size_ratio:.2f} times the size and {chosen.latency_ratio[limits.batch_rows]:.2f} "
        f"times the latency of FP32 at {rows}; costs at most {max(chosen.difference.upper, 0):.2%} accuracy (95%), "
        f"{settings.allowance_ratio:.2%} is allowed"
    )
    return f"{reason}; FP32 is over a limit: {fp32.refused}" if fp32.refused else reason


def _why_fp32(others: tuple[Candidate, ...]) -> str:
    reasons = "; ".join(f"{candidate.recipe} {candidate.refused}" for candidate in others)
    return f"fp32: no smaller precision is worth it ({reasons})" if reasons else "fp32: nothing else was tried"


def _none_fits(fp32: Candidate, limits: LimitSettings) -> OverLimitsError:
    return OverLimitsError(
        f"no precision of the model is within the limits: FP32: {fp32.refused}",
        fix="Raise [limits] latency_seconds, size_bytes or memory_bytes, or let the search try smaller models.",
        latency_seconds=fp32.latency_seconds.get(limits.batch_rows),
        size_bytes=fp32.size_bytes,
        memory_bytes=fp32.memory_bytes,
        limits=limits.model_dump(),
    )
