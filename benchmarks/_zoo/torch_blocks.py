"""Architectures in PyTorch, as small as their kind allows."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from benchmarks._zoo.entry import VOCABULARY


class Pixels(nn.Module):
    """Bytes to numbers from 0 to 1, with one channel."""

    def forward(self, image: Any) -> Any:
        """(rows, 16, 16) to (rows, 1, 16, 16)."""
        return image.float().unsqueeze(1) / 255


def _ended(*layers: nn.Module, units: int = 3) -> nn.Module:
    return nn.Sequential(*layers, nn.LazyLinear(units), nn.Softmax(-1))


def _built(module: nn.Module, example: Any) -> nn.Module:
    with torch.no_grad():
        module(example)  # lazy layers learn their width
    return module


def _images() -> Any:
    return torch.zeros(2, 16, 16, dtype=torch.uint8)


def mlp() -> nn.Module:
    return _built(_ended(Pixels(), nn.Flatten(), nn.Linear(256, 32), nn.ReLU(), nn.Dropout(0.3)), _images())


def cnn() -> nn.Module:
    layers: list[nn.Module] = []
    for first, last in ((1, 8), (8, 16)):
        layers += [nn.Conv2d(first, last, 3, padding=1, bias=False), nn.BatchNorm2d(last), nn.ReLU(), nn.MaxPool2d(2)]
    module = _ended(Pixels(), *layers, nn.AdaptiveAvgPool2d(2), nn.Flatten())
    return _built(module, _images().repeat(4, 1, 1))


def depthwise() -> nn.Module:
    layers = [nn.Conv2d(1, 8, 3, 2), nn.Conv2d(8, 16, 3, groups=8), nn.Hardswish(), nn.Conv2d(16, 8, 1)]
    return _built(_ended(Pixels(), *layers, nn.Flatten()), _images())


def layer_norm() -> nn.Module:
    return _built(_ended(nn.Linear(6, 8), nn.GELU(), nn.LayerNorm(8)), torch.zeros(2, 6))


def group_norm() -> nn.Module:
    layers = [nn.Conv2d(1, 8, 3), nn.GroupNorm(4, 8), nn.SiLU(), nn.InstanceNorm2d(8), nn.Flatten()]
    return _built(_ended(Pixels(), *layers), _images())


def value() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), nn.Softplus(), nn.Linear(8, 1))


def bfloat16() -> nn.Module:
    class Half(nn.Module):
        """Numbers of 16 bits inside, of 32 at its ends."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)).to(torch.bfloat16)

        def forward(self, x: Any) -> Any:
            return self.inner(x.to(torch.bfloat16)).float().softmax(-1)

    return Half()


class Residual(nn.Module):
    """Two blocks that add."""

    def __init__(self) -> None:
        super().__init__()
        self.pixels, self.first = Pixels(), nn.Conv2d(1, 8, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1)) for _ in range(2)
        )
        self.last = nn.Linear(8, 3)

    def forward(self, image: Any) -> Any:
        hidden = self.first(self.pixels(image))
        for block in self.blocks:
            hidden = hidden + block(hidden)
        return self.last(hidden.mean((2, 3))).softmax(-1)


class UNet(nn.Module):
    """Down, up, and across."""

    def __init__(self) -> None:
        super().__init__()
        self.pixels, self.first, self.low = Pixels(), nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1)
        self.up, self.last = nn.ConvTranspose2d(8, 4, 2, 2), nn.Linear(8, 3)

    def forward(self, image: Any) -> Any:
        first = self.first(self.pixels(image)).relu()
        low = self.low(functional.max_pool2d(first, 2)).relu()
        small = functional.interpolate(low, size=(4, 4), mode="bilinear")
        up = self.up(functional.interpolate(small, scale_factor=2.0, mode="nearest"))
        return self.last(torch.cat([up, first], 1).amax((2, 3))).softmax(-1)


class Recurrent(nn.Module):
    """Two layers; answers from the last step."""

    def __init__(self, kind: str, bidirectional: bool = False) -> None:
        super().__init__()
        self.inner = getattr(nn, kind)(5, 6, num_layers=2, batch_first=True, bidirectional=bidirectional)
        self.last = nn.Linear(12 if bidirectional else 6, 3)

    def forward(self, x: Any) -> Any:
        return self.last(self.inner(x)[0][:, -1]).softmax(-1)


class SelfAttention(nn.Module):
    """`nn.MultiheadAttention`, and the bare function."""

    def __init__(self) -> None:
        super().__init__()
        self.widen, self.inner, self.last = (
            nn.Linear(5, 8),
            nn.MultiheadAttention(8, 2, batch_first=True),
            nn.Linear(8, 3),
        )

    def forward(self, x: Any) -> Any:
        hidden = self.widen(x)
        hidden = hidden + self.inner(hidden, hidden, hidden)[0]
        hidden = functional.scaled_dot_product_attention(hidden, hidden, hidden, is_causal=True)
        return self.last(hidden.mean(1)).softmax(-1)


class Encoder(nn.Module):
    """`nn.TransformerEncoder` over tokens with places; zeros are padding."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(VOCABULARY, 8), nn.Parameter(torch.randn(12, 8))
        layer = nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", batch_first=True, norm_first=True)
        self.inner = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.last = nn.Linear(8, 3)

    def forward(self, ids: Any) -> Any:
        padding = ids == 0
        hidden = self.inner(self.words(ids) + self.places, src_key_padding_mask=padding)
        kept = hidden.masked_fill(padding.unsqueeze(-1), 0).sum(1) / (~padding).sum(1, keepdim=True).clamp(min=1)
        return self.last(kept).softmax(-1)


class Bag(nn.Module):
    """The mean of embeddings."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.last = nn.EmbeddingBag(VOCABULARY, 8, mode="mean"), nn.Linear(8, 3)

    def forward(self, ids: Any) -> Any:
        return self.last(self.words(ids)).softmax(-1)


class TwoInputs(nn.Module):
    """Numbers and bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(4, 3), nn.Linear(5, 3)

    def forward(self, left: Any, right: Any) -> Any:
        return (self.left(left) + self.right(right.float() / 255)).softmax(-1)


class TwoOutputs(nn.Module):
    """The answer, and what it was made from."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.last = nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        hidden = self.inner(x).tanh()
        return self.last(hidden).softmax(-1), hidden


class Fourier(nn.Module):
    """Waves of learned frequencies, sorted."""

    def __init__(self) -> None:
        super().__init__()
        self.waves, self.last = nn.Parameter(torch.randn(6, 4)), nn.Linear(8, 3)

    def forward(self, x: Any) -> Any:
        turned = x @ self.waves
        hidden = torch.cat([turned.sin(), turned.cos()], -1).sort(-1).values
        return self.last(torch.where(hidden > 0, hidden, 0.1 * hidden)).softmax(-1)
