"""Modules of PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks._zoo.entry import FREE_TOKENS, IMAGE, SEQUENCE, TOKENS, VECTOR, VOCABULARY, Entry
from evertune.tensors import TensorSpec

_IDS = {"ids": VOCABULARY}
_PAIR = (TensorSpec("left", "float32", (4,)), TensorSpec("right", "uint8", (5,)))


def entries() -> tuple[Entry, ...]:
    """All of them."""
    from benchmarks._zoo import torch_blocks as blocks

    return (
        _entry("mlp", blocks.mlp, IMAGE, quick=True),
        _entry("cnn", blocks.cnn, IMAGE, quick=True),
        _entry("residual", blocks.Residual, IMAGE),
        _entry("depthwise", blocks.depthwise, IMAGE),
        _entry("u-net", blocks.UNet, IMAGE),
        _entry("gru", lambda: blocks.Recurrent("GRU"), SEQUENCE),
        _entry("lstm", lambda: blocks.Recurrent("LSTM"), SEQUENCE, quick=True),
        _entry("bidirectional", lambda: blocks.Recurrent("LSTM", bidirectional=True), SEQUENCE),
        _entry("attention", blocks.SelfAttention, SEQUENCE),
        _entry("transformer-encoder", blocks.Encoder, TOKENS, below=_IDS, quick=True),
        _entry("embedding", blocks.Bag, TOKENS, below=_IDS),
        _entry("embedding-any-length", blocks.Bag, FREE_TOKENS, below=_IDS),
        _entry("layer-norm", blocks.layer_norm, VECTOR),
        _entry("group-norm", blocks.group_norm, IMAGE),
        _entry("multi-input", blocks.TwoInputs, _PAIR),
        _entry("multi-output", blocks.TwoOutputs, VECTOR, extra=(TensorSpec("features", "float32", (8,)),)),
        _entry("custom-layer", blocks.Fourier, VECTOR),
        _entry("bfloat16", blocks.bfloat16, VECTOR),
        _entry("regression", blocks.value, VECTOR, kind="regression", classes=1),
    )


def _entry(name: str, build: Callable[[], Any], inputs: tuple[TensorSpec, ...], **more: Any) -> Entry:
    def drawn(generator: np.random.Generator) -> Any:
        import torch

        torch.manual_seed(int(generator.integers(2**31)))
        module = build()
        with torch.no_grad():
            for key, value in module.named_buffers():
                if "running" in key:  # fresh statistics are 0 and 1, which hides errors
                    value.copy_(torch.rand_like(value) + 0.5)
        return module

    return Entry(name, drawn, inputs, **more)
