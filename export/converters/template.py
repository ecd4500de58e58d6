"""A traced graph without its weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from evertune.tensors import Signature
from export.graph import finish, strip
from export.silence import known_noise


@dataclass(frozen=True)
class Template:
    """The graph of an architecture, and which of its initializers are which variables of the model.

    Attributes:
        model_bytes: ONNX as traced, not optimised: optimising folds weights into constants. Mapped initializers are
            empty.
        places: Name of an initializer to the position of its variable in `model.variables`.
        shapes: Of all variables, in order.
        reusable: Every initializer with more than one value is a variable, so nothing else was learned.
    """

    model_bytes: bytes
    places: dict[str, int]
    shapes: tuple[tuple[int, ...], ...]
    reusable: bool

    @classmethod
    def of(cls, exported: Any, program: Any, model: Any) -> Template:
        """Takes the weights out of an exported graph.

        Args:
            exported: `onnx.ModelProto`, not optimised.
            program: The `torch.export.ExportedProgram` it came from. Keras' variables appear in it as constants, found
                again by the address of their values.
            model: The Keras model, untouched since it was traced.
        """
        addresses = {_address(variable.value): number for number, variable in enumerate(model.variables)}
        tensors = {**program.constants, **program.state_dict}
        places = {}
        reusable = True
        for item in exported.graph.initializer:
            number = addresses.get(_address(tensors[item.name])) if item.name in tensors else None
            if number is not None:
                places[item.name] = number
                item.ClearField("raw_data")
            elif math.prod(item.dims) > 1:
                reusable = False
        strip(exported)  # metadata here holds stack traces, several times the graph
        return cls(exported.SerializeToString(), places, _shapes(model), reusable)

    def fits(self, model: Any) -> bool:
        """Whether `model` has variables of the same shapes in the same order."""
        return _shapes(model) == self.shapes

    def fill(self, model: Any, signature: Signature) -> bytes:
        """The graph with the weights of `model`, optimised and finished: what a fresh export gives, byte for byte."""
        import onnx
        from onnxscript import optimizer

        proto = onnx.ModelProto.FromString(self.model_bytes)
        variables = model.variables
        for item in proto.graph.initializer:
            if item.name in self.places:
                value = variables[self.places[item.name]].value
                item.raw_data = value.detach().cpu().contiguous().numpy().tobytes()
        with known_noise():
            return finish(optimizer.optimize(proto), signature)


def _address(tensor: Any) -> tuple[int, tuple[int, ...], str]:
    return tensor.data_ptr(), tuple(tensor.shape), str(tensor.dtype)


def _shapes(model: Any) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(variable.shape) for variable in model.variables)
