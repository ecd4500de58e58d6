"""From a trained model to a verified, quantized, measured, sealed bundle.

Importing this package imports ONNX Runtime and numpy, never a training framework: those load when a model of theirs
is converted.
"""

from export.architectures import architectures_in
from export.candidate import Candidate
from export.export_for import export_for
from export.footprint import Footprint, measure_untrained
from export.over_limits import OverLimitsError
from export.parity import Parity
from export.pipeline import export_model
from export.recipes import FP32, QUICK, RECIPES
from export.result import ExportResult
from export.seal import seal

__all__ = [
    "FP32",
    "QUICK",
    "RECIPES",
    "Candidate",
    "ExportResult",
    "Footprint",
    "OverLimitsError",
    "Parity",
    "architectures_in",
    "export_for",
    "export_model",
    "measure_untrained",
    "seal",
]
