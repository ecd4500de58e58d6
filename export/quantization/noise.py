"""Which node's quantization drowns the most signal."""

from __future__ import annotations

import numpy as np

from evertune.errors import EvertuneError
from evertune.runtime import Session
from evertune.tensors import Array, Tensors
from export.quantization.quantizer import Quantizer
from export.quantization.samples import strided
from export.recipes import CONVOLUTIONS, MATRIX_PRODUCTS, Recipe

_ROWS = 128
_MOST_NODES = 100  # each is quantized alone once; of more, only products and convolutions are looked at
_ARITHMETIC = (*MATRIX_PRODUCTS, *CONVOLUTIONS)


def worst_nodes(quantizer: Quantizer, recipe: Recipe) -> list[str]:
    """Names of the nodes that `recipe` quantizes, the lowest signal-to-noise ratio first.

    Each node is quantized alone and the model's output compared with FP32's on calibration rows, so that a node is
    blamed for what reaches the output through all that follows, whatever the precision.

    Args:
        quantizer: Of the model.
        recipe: How.
    """
    rows = {name: value[strided(len(value), _ROWS)] for name, value in quantizer.samples.items()}
    signal = _outputs(quantizer.model_bytes, quantizer, rows)
    found: dict[str, float] = {}
    nodes = quantizer.nodes(recipe)
    if len(nodes) > _MOST_NODES:
        nodes = [name for name in nodes if name.startswith(_ARITHMETIC)]
    for name in nodes:
        others = tuple(other for other in nodes if other != name)
        try:
            content = quantizer.quantize(recipe, keep=others)
            found[name] = signal_to_noise_db(signal, _outputs(content, quantizer, rows))
        except EvertuneError:  # nothing to quantize about it alone
            continue
    return sorted(found, key=lambda name: found[name])


def signal_to_noise_db(signal: Array, noisy: Array) -> float:
    """10 log10 of the signal's energy over that of the difference, in dB; infinite where there is none.

    Example:
        >>> signal_to_noise_db(np.array([1.0, 0.0]), np.array([1.0, 0.1]))
        20.0
    """
    noise = float(np.square(noisy.astype(np.float64) - signal).sum())
    if np.isnan(noise):
        return -np.inf
    energy = float(np.square(signal.astype(np.float64)).sum())
    return np.inf if noise == 0 else round(10 * float(np.log10(max(energy, np.finfo(np.float64).tiny) / noise)), 6)


def _outputs(content: bytes, quantizer: Quantizer, rows: Tensors) -> Array:
    outputs = Session(content, quantizer.signature).run(rows)
    return np.concatenate([value.reshape(-1) for value in outputs.values()])
