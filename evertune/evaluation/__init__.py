"""How good a model is on rows that the search never saw, and how sure that is."""

from evertune.evaluation.estimate import Estimate
from evertune.evaluation.evaluation import Averages, ClassReport, Evaluation, Slice
from evertune.evaluation.reliability import ReliabilityBin, reliability
from evertune.evaluation.report import evaluate

__all__ = ["Averages", "ClassReport", "Estimate", "Evaluation", "ReliabilityBin", "Slice", "evaluate", "reliability"]
