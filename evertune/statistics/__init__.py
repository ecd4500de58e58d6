"""Statistics that hold: intervals, an anytime-valid mean, drift evidence, the promotion test, calibrated confidence.

What each one guarantees, and under which assumptions, is in docs/statistics.md; `python -m benchmarks intervals`,
`detector` and `promotion` measure it.
"""

from evertune.statistics.bootstrap import bootstrap
from evertune.statistics.calibrate import calibrate
from evertune.statistics.clopper_pearson import clopper_pearson
from evertune.statistics.confidence_sequence import ConfidenceSequence
from evertune.statistics.e_detector import EDetector
from evertune.statistics.estimated_accuracy import estimated_accuracy
from evertune.statistics.finite_population import finite_population
from evertune.statistics.interval import Interval
from evertune.statistics.median_interval import median_interval
from evertune.statistics.paired_noninferiority import paired_noninferiority
from evertune.statistics.paired_test import PairedTest
from evertune.statistics.spend import spend
from evertune.statistics.upper_bound import upper_bound
from evertune.statistics.wilson import wilson

__all__ = [
    "ConfidenceSequence",
    "EDetector",
    "Interval",
    "PairedTest",
    "bootstrap",
    "calibrate",
    "clopper_pearson",
    "estimated_accuracy",
    "finite_population",
    "median_interval",
    "paired_noninferiority",
    "spend",
    "upper_bound",
    "wilson",
]
