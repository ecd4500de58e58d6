"""What every benchmark is given, and what it hands back.

A benchmark is a module in this folder whose name does not start with `_` and which holds `BENCHMARK = Benchmark(...)`.
Its name on the command line has `-` where the module's has `_`.
It is imported to be listed, so a module imports what is heavy (torch, Keras, a server) inside its own functions.
"""

from __future__ import annotations

import importlib
import math
import operator
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks._machine import machine

Target = tuple[str, float]
"""(">=" or "<=", number)."""

_COMPARE = {">=": operator.ge, "<=": operator.le}


@dataclass(frozen=True)
class Options:
    """What the command line says.

    Attributes:
        data: Folder of data sets; None where not given.
        quick: End within 5 minutes, at the price of precision.
        seed: Of everything random.
    """

    data: Path | None = None
    quick: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Outcome:
    """What a benchmark found.

    Attributes:
        figures: Numbers by name, units in the names.
        targets: Bounds by name of figure.
        settings: What the figures depend on: sizes, seeds, versions of data.
    """

    figures: Mapping[str, float]
    targets: Mapping[str, Target]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, (comparison, _) in self.targets.items():
            if name not in self.figures or comparison not in _COMPARE:
                raise ValueError(f"target {name!r} needs a figure of that name and '>=' or '<=', got {comparison!r}")

    @property
    def missed(self) -> dict[str, Target]:
        """Targets that are not met; a figure that is not a number meets none."""
        return {
            name: (comparison, bound)
            for name, (comparison, bound) in self.targets.items()
            if not _COMPARE[comparison](self.figures[name], bound)
        }


@dataclass(frozen=True)
class Benchmark:
    """A benchmark as it is listed.

    Attributes:
        summary: One line: what is measured.
        duration: How long it takes on 2 cores, with and without `--quick`, as text.
        run: Measures. Progress may be printed; the result line comes from the harness.
    """

    summary: str
    duration: str
    run: Callable[[Options], Outcome]


def discover() -> dict[str, Benchmark]:
    """All benchmarks of this folder by name."""
    folder = str(Path(__file__).parent)
    modules = pkgutil.iter_modules([folder])
    names = sorted(each.name for each in modules if not each.name.startswith("_") and not each.ispkg)
    return {name.replace("_", "-"): importlib.import_module(f"benchmarks.{name}").BENCHMARK for name in names}


def result(name: str, options: Options, outcome: Outcome) -> dict[str, Any]:
    """The JSON object of the last line. Figures that are not finite become null: JSON has no word for them."""
    settings = {"quick": options.quick, "seed": options.seed, **outcome.settings}
    if options.data is not None:
        settings["data"] = str(options.data)
    return {
        "benchmark": name,
        "machine": machine(),
        "settings": settings,
        "figures": {key: float(value) if math.isfinite(value) else None for key, value in outcome.figures.items()},
        "targets": {key: list(target) for key, target in outcome.targets.items()},
        "met": not outcome.missed,
    }
