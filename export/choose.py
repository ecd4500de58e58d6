"""Which precision ships."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from evertune.errors import ExportError
from evertune.settings import ExportSettings, LimitSettings
from export.candidate import Candidate
from export.recipes import FP32

SLOWER_RATIO = 1.05  # medians of interleaved rounds of the same file differ by up to this on a shared machine
FASTER_RATIO = 1 / 1.1  # what counts as faster when nothing else is gained
_TIE_RATIO = 1.05  # candidates this close in latency are equally fast; then accuracy decides


def choose(
    candidates: Sequence[Candidate], *, settings: ExportSettings, limits: LimitSettings
) -> tuple[tuple[Candidate, ...], Candidate, str]:
    """Picks what ships and writes down why each other one does not.

    A quantized candidate is eligible if it costs no more accuracy than allowed (upper end of the 95% interval), and is
    smaller and not slower, or really faster. The fastest eligible one within the limits ships, else FP32.

    Args:
        candidates: FP32 first, all measured unless `refused` is set.
        settings: The allowance.
        limits: Latency of one row, and size.

    Returns:
        The candidates with `refused` filled in, the chosen one, and the reason.

    Raises:
        ExportError: None is within the limits; names the closest and its figures.
    """
    judged = tuple(_judge(candidate, settings, limits) for candidate in candidates)
    eligible = [candidate for candidate in judged if candidate.refused is None]
    if not eligible:
        raise _none_fits(judged[0], limits)
    quantized = [candidate for candidate in eligible if candidate.recipe != FP32]
    if not quantized:
        return judged, eligible[0], _why_fp32(judged)
    chosen = _best(quantized)
    marked = tuple(
        chosen if candidate is chosen else replace(candidate, refused=candidate.refused or _beaten(candidate, chosen))
        for candidate in judged
    )
    return marked, chosen, _why_quantized(chosen, judged[0], settings)


def over_limits(latency_seconds: float, size_bytes: int, limits: LimitSettings) -> str | None:
    """Which limit is broken, in words; None if none is."""
    if latency_seconds > limits.latency_seconds:
        return (
            f"one row takes {latency_seconds * 1e3:.3g} ms, over limits.latency_seconds = "
            f"{limits.latency_seconds * 1e3:.3g} ms"
        )
    if size_bytes > limits.size_bytes:
        return f"the file has {size_bytes:,} bytes, over limits.size_bytes = {limits.size_bytes:,}"
    return None


def _judge(candidate: Candidate, settings: ExportSettings, limits: LimitSettings) -> Candidate:
    if candidate.refused is not None:
        return candidate
    reason = _why_not(candidate, settings) or over_limits(candidate.latency_seconds[1], candidate.size_bytes, limits)
    return replace(candidate, refused=reason)


def _why_not(candidate: Candidate, settings: ExportSettings) -> str | None:
    if candidate.recipe == FP32:
        return None
    difference, allowed = candidate.difference, settings.allowance_ratio
    if difference is None:
        return "its accuracy was not measured"
    if difference.upper > allowed:
        unsure = ": the validation rows are too few to rule that out" if difference.lower <= 0 else ""
        return f"may cost up to {difference.upper:.2%} accuracy (95%), {allowed:.2%} is allowed{unsure}"
    return too_slow(candidate)


def too_slow(candidate: Candidate) -> str | None:
    """Why a quantized candidate's speed and size do not make up for the risk; None where they do."""
    slowest = max(candidate.latency_ratio.values())
    if slowest <= FASTER_RATIO or (candidate.size_ratio < 1 and slowest <= SLOWER_RATIO):
        return None
    size = max(candidate.latency_ratio, key=lambda batch: candidate.latency_ratio[batch])
    return f"takes {slowest:.2f} times as long as FP32 at batch {size}"


def _mean_ratio(candidate: Candidate) -> float:
    return math.exp(sum(map(math.log, candidate.latency_ratio.values())) / len(candidate.latency_ratio))


def _best(eligible: list[Candidate]) -> Candidate:
    fastest = min(map(_mean_ratio, eligible))
    tied = [candidate for candidate in eligible if _mean_ratio(candidate) <= fastest * _TIE_RATIO]
    return max(tied, key=lambda candidate: candidate.accuracy)  # the first of equals: the order of the recipes


def _beaten(candidate: Candidate, chosen: Candidate) -> str:
    if candidate.recipe == FP32:
        return f"{chosen.recipe} is smaller or faster within the accuracy allowed"
    how = "faster" if _mean_ratio(chosen) < _mean_ratio(candidate) else "as fast and no less accurate"
    return f"{chosen.recipe} is {how}"


def _why_quantized(chosen: Candidate, fp32: Candidate, settings: ExportSettings) -> str:
    assert chosen.difference is not None  # only quantized candidates come here
    reason = (
        f"{chosen.recipe}: {chosen.size_ratio:.2f} times the size and {chosen.latency_ratio[1]:.2f} times the latency "
        f"of FP32 at one row; costs at most {max(chosen.difference.upper, 0):.2%} accuracy (95%), "
        f"{settings.allowance_ratio:.2%} is allowed"
    )
    return f"{reason}; FP32 is over a limit: {fp32.refused}" if fp32.refused else reason


def _why_fp32(judged: tuple[Candidate, ...]) -> str:
    others = "; ".join(f"{candidate.recipe} {candidate.refused}" for candidate in judged[1:])
    return f"fp32: no INT8 candidate is worth it ({others})" if others else "fp32: nothing else was tried"


def _none_fits(fp32: Candidate, limits: LimitSettings) -> ExportError:
    return ExportError(
        f"no precision of the model is within the limits: FP32: {fp32.refused}",
        fix="Raise [limits] latency_seconds or size_bytes, or let the search try smaller models.",
        latency_seconds=fp32.latency_seconds.get(1),
        size_bytes=fp32.size_bytes,
        limits=limits.model_dump(),
    )
