"""Attention as torch's exporter knows it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def four_axes() -> Iterator[None]:
    """Lets attention over three axes (rows, steps, width) have a fourth, of one head: torch's exporter asks for it."""
    from torch.nn import functional

    attend: Any = functional.scaled_dot_product_attention

    def wide(query: Any, key: Any, value: Any, attn_mask: Any = None, *args: Any, **options: Any) -> Any:
        if query.dim() != 3:
            return attend(query, key, value, attn_mask, *args, **options)
        if attn_mask is not None and attn_mask.dim() == 3:
            attn_mask = attn_mask.unsqueeze(1)
        heads = (each.unsqueeze(1) for each in (query, key, value))
        return attend(*heads, attn_mask, *args, **options).squeeze(1)

    functional.scaled_dot_product_attention = wide
    try:
        yield
    finally:
        functional.scaled_dot_product_attention = attend
