"""From FP32 to smaller precisions."""

from export.quantization.fold import optimise
from export.quantization.quantizer import Quantizer
from export.quantization.samples import MOST_ROWS, strided

__all__ = ["MOST_ROWS", "Quantizer", "optimise", "strided"]
