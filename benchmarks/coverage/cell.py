"""A cell of the table: a framework on a domain."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

TASKS = Path(__file__).with_name("tasks.py")
DOMAINS = ("image", "text", "tabular", "recommendation")
FRAMEWORKS = ("keras on torch", "keras on tensorflow", "torch", "scikit-learn")
_PREFIX = {"keras on torch": "Keras", "keras on tensorflow": "Keras", "torch": "Torch", "scikit-learn": "Sklearn"}
_EMPTY = {
    (
        "scikit-learn",
        "text",
    ): "its estimators take a row of numbers, and token ids are none; a bag of words needs a "
    "preprocessor step that counts",
    ("scikit-learn", "recommendation"): "no estimator of it gives a score for each of 1,400 items from two ids",
}


@dataclass(frozen=True)
class Cell:
    """One framework on one domain."""

    framework: str
    domain: str

    @property
    def name(self) -> str:
        """For folders and arguments: "keras-on-torch.image"."""
        return f"{self.framework.replace(' ', '-')}.{self.domain}"

    @property
    def reason(self) -> str | None:
        """Why there is nothing to run; None where there is."""
        return _EMPTY.get((self.framework, self.domain))

    @property
    def task(self) -> str:
        """As in `[project]` of the settings."""
        return f"{TASKS}:{_PREFIX[self.framework]}{self.domain.capitalize()}"

    @property
    def backend(self) -> str:
        """Of Keras."""
        return "tensorflow" if self.framework == "keras on tensorflow" else "torch"


CELLS = tuple(Cell(framework, domain) for framework in FRAMEWORKS for domain in DOMAINS)
