"""The phases of a job, in order: train_rows, search, gate, promote, report.

Each is a function from the job's context to a `Step`. It may be killed anywhere and run again from its start, so what
it writes is written once under a key (sets of rows, deployments) or is found again (the study's journal, the sealed
bundle).
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from retune.context import Context
from retune.phases.gate import hold_gate
from retune.phases.promotion import promote
from retune.phases.report import write_report
from retune.phases.search import search
from retune.phases.train_rows import choose_train_rows
from retune.step import Step

FIRST = "train_rows"
PHASES: Mapping[str, Callable[[Context], Step]] = MappingProxyType(
    {"train_rows": choose_train_rows, "search": search, "gate": hold_gate, "promote": promote, "report": write_report}
)

__all__ = ["FIRST", "PHASES"]
