"""Keras models, the same on both backends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks._zoo import keras_blocks as blocks
from benchmarks._zoo.entry import FREE_TOKENS, IMAGE, SEQUENCE, TOKENS, VECTOR, VOCABULARY, Entry
from evertune.tensors import TensorSpec

_IDS = {"ids": VOCABULARY}
_PAIR = (TensorSpec("user", "int64", ()), TensorSpec("item", "int64", ()), TensorSpec("x", "float32", (6,)))


def randomised(build: Callable[[], Any]) -> Callable[[np.random.Generator], Any]:
    """`build` with every float weight drawn: fresh biases and statistics of batches are 0 and 1, which hides errors."""

    def made(generator: np.random.Generator) -> Any:
        model = build()
        for variable in model.variables:
            if "seed" in variable.path or not variable.dtype.startswith("float"):
                continue
            shape = tuple(variable.shape)
            inward = int(np.prod(shape[:-1])) if len(shape) > 1 else 1
            value = generator.standard_normal(shape) / np.sqrt(max(inward, 1))
            keep_positive = any(word in variable.path for word in ("variance", "gamma", "scale"))
            variable.assign((0.5 + np.abs(value) if keep_positive else value).astype("float32"))
        return model

    return made


def entries() -> tuple[Entry, ...]:
    """All of them."""
    return (
        _entry("mlp", blocks.mlp, IMAGE, quick=True),
        _entry("cnn", blocks.cnn, IMAGE, quick=True),
        _entry("residual", blocks.residual, IMAGE),
        _entry("depthwise", blocks.depthwise, IMAGE),
        _entry("squeeze-excite", blocks.squeeze_excite, IMAGE),
        _entry("u-net", blocks.u_net, IMAGE, quick=True),
        _entry("resize-and-augment", blocks.resize_and_augment, IMAGE),
        _entry("gru", blocks.gru, SEQUENCE),
        _entry("lstm", blocks.lstm, SEQUENCE, quick=True),
        _entry("bidirectional", blocks.bidirectional, SEQUENCE),
        _entry("simple-rnn", blocks.simple_rnn, SEQUENCE),
        _entry("temporal-convolution", blocks.temporal_convolution, SEQUENCE),
        _entry("conv-lstm", blocks.conv_lstm, (TensorSpec("x", "float32", (4, 6, 6, 1)),)),
        _entry("attention", blocks.attention, SEQUENCE),
        _entry("transformer-encoder", blocks.transformer_encoder, TOKENS, below=_IDS, quick=True),
        _entry("embedding", blocks.embedding, TOKENS, below=_IDS),
        _entry("embedding-any-length", blocks.embedding_any_length, FREE_TOKENS, below=_IDS),
        _entry("masked-lstm", blocks.masked_lstm, TOKENS, below=_IDS),
        _entry("masked-bidirectional", blocks.masked_bidirectional, TOKENS, below=_IDS),
        _entry("lstm-any-length", blocks.lstm_any_length, FREE_TOKENS, below=_IDS),
        _entry("normalization", blocks.normalization, VECTOR, quick=True),
        _entry("gelu", blocks.gelu, VECTOR, quick=True),
        _entry("layer-norm", blocks.layer_norm, VECTOR, quick=True),
        _entry("group-norm", blocks.group_norm, IMAGE),
        _entry("discretization", blocks.discretization, VECTOR, quick=True),
        _entry("category-encoding", blocks.category_encoding, TOKENS, below=_IDS),
        _entry("integer-lookup", blocks.integer_lookup, TOKENS, below=_IDS),
        _entry("hashing", blocks.hashing, TOKENS, below=_IDS),
        _entry(
            "two-tower",
            blocks.two_tower,
            _PAIR,
            kind="ranking",
            below={"user": VOCABULARY, "item": VOCABULARY},
            quick=True,
        ),
        _entry(
            "multi-output", blocks.multi_output, VECTOR, extra=(TensorSpec("features", "float32", (4,)),), quick=True
        ),
        _entry("mixed-float16", blocks.mixed_float16, IMAGE, quick=True),
        _entry("custom-layer", blocks.custom_layer, VECTOR, quick=True),
        _entry("subclassed", blocks.subclassed, VECTOR),
        _entry("mixture-of-experts", blocks.mixture_of_experts, VECTOR),
        _entry("sigmoid-labels", blocks.sigmoid_labels, VECTOR, kind="multilabel"),
        _entry("regression", blocks.regression, VECTOR, kind="regression", classes=1),
        _entry("time-distributed", blocks.time_distributed, SEQUENCE),
        _entry("activations", blocks.activations, VECTOR),
        _entry("pooling", blocks.pooling, IMAGE),
    )


def _entry(name: str, build: Callable[[], Any], inputs: tuple[TensorSpec, ...], **more: Any) -> Entry:
    return Entry(name, randomised(build), inputs, **more)
