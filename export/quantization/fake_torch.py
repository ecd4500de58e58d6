"""INT8's rounding in a torch model that goes on computing in FP32."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from export.quantization.ranges import Ranges


def rounding(ranges: Ranges, *, observe: bool) -> AbstractContextManager[Any]:
    """While this holds, every product and convolution of torch rounds its inputs as U8S8 with per-channel weights does.

    Gradients pass the rounding as if it were not there, except where values are cut off. Keras on torch and torch
    modules both come to these functions, so neither needs layers of its own.

    Args:
        ranges: Of activations; filled while observing.
        observe: Only look at activations and change nothing.
    """
    import torch
    from torch.overrides import TorchFunctionMode

    functions = _functions()
    copying = (torch.Tensor.to, torch.Tensor.contiguous, torch.Tensor.clone)  # Keras lays a kernel out anew

    class Rounding(TorchFunctionMode):
        """Counts products; each place is one operator of the graph, as long as the model branches on nothing."""

        def __init__(self) -> None:
            super().__init__()
            self.place = 0
            self.copies: dict[int, Any] = {}  # of weights, kept alive so that their ids stay theirs

        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func in copying and self._is_weight(args[0]):
                copy = func(*args, **(kwargs or {}))
                self.copies[id(copy)] = copy
                return copy
            if func not in functions:
                return func(*args, **(kwargs or {}))
            first, axis = functions[func]
            given = list(args)
            for position in (first, first + 1):
                if position < len(given) and isinstance(given[position], torch.Tensor):
                    given[position] = self._rounded(given[position], axis)
            return func(*given, **(kwargs or {}))

        def _rounded(self, value: Any, axis: int) -> Any:
            if not value.is_floating_point():
                return value
            if self._is_weight(value):
                return value if observe else _weight(value, axis % value.ndim)
            self.place += 1
            if observe:
                ranges.widen(self.place, value.detach())
                return value
            return torch.fake_quantize_per_tensor_affine(value, *ranges.step(self.place), 0, 255)

        def _is_weight(self, value: Any) -> bool:
            """A trained tensor, a view of one, or a copy in another layout."""
            origin = value if value._base is None else value._base
            return bool(origin.is_leaf and origin.requires_grad) or id(origin) in self.copies

    return Rounding()


def _functions() -> dict[Any, tuple[int, int]]:
    """By function: place of the first factor, and the axis of a weight's channels."""
    import torch
    from torch.nn import functional

    convolutions = (torch.conv1d, torch.conv2d, torch.conv3d)
    transposed = (torch.conv_transpose1d, torch.conv_transpose2d, torch.conv_transpose3d)
    products = (torch.matmul, torch.mm, torch.bmm, torch.Tensor.matmul, torch.Tensor.__matmul__)
    return {
        functional.linear: (0, 0),
        torch.addmm: (1, -1),
        torch.einsum: (1, -1),
        **dict.fromkeys(convolutions, (0, 0)),
        **dict.fromkeys(transposed, (0, 1)),
        **dict.fromkeys(products, (0, -1)),
    }


def _weight(value: Any, axis: int) -> Any:
    import torch

    others = [number for number in range(value.ndim) if number != axis]
    scale = value.detach().abs().amax(dim=others).clamp(min=1e-12) / 127
    zero = torch.zeros_like(scale, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(value, scale, zero, axis, -127, 127)
