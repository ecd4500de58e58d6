"""From FP32 to smaller precisions."""

from export.quantization.candidates import candidates
from export.quantization.fallback import fallback
from export.quantization.fold import optimise
from export.quantization.quantizer import Quantizer
from export.quantization.samples import MOST_ROWS, strided

__all__ = ["MOST_ROWS", "Quantizer", "candidates", "fallback", "optimise", "strided"]
