"""A traced graph without its weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evertune.tensors import Signature
from export.architectures import Architectures
from export.external import OnnxFiles, leave_out
from export.graph import MOST_WEIGHTS_BYTES, finish_files, strip_texts
from export.silence import known_noise


@dataclass(frozen=True)
class Template:
    """The graph of an architecture, and which of its initializers are which variables of the model.

    Attributes:
        model_bytes: ONNX as traced, not optimised: optimising folds weights into constants. Initializers that are
            variables are empty.
        places: Name of an initializer to the position of its variable.
        shapes: Of all variables, in order.
        settled: No other initializer is an array, so training changes nothing but variables.
    """

    model_bytes: bytes
    places: dict[str, int]
    shapes: tuple[tuple[int, ...], ...]
    settled: bool

    @classmethod
    def of(cls, exported: Any, places: dict[str, int], variables: Sequence[Any]) -> Template:
        """Takes the weights out of an exported graph.

        Args:
            exported: `onnx.ModelProto`, not optimised; changed.
            places: As `variable_places` found them.
            variables: Tensors of the model, see `TorchForward.variables`.
        """
        settled = True
        for item in exported.graph.initializer:
            if item.name in places:
                item.ClearField("raw_data")
            elif item.dims:  # numbers from a layer's configuration have no axes, what it learned has
                settled = False
        strip_texts(exported)  # metadata here holds stack traces, several times the size of the graph
        return cls(exported.SerializeToString(), places, _shapes(variables), settled)

    def fits(self, variables: Sequence[Any]) -> bool:
        """Whether the variables have the same shapes in the same order."""
        return _shapes(variables) == self.shapes

    def fill(
        self, variables: Sequence[Any], signature: Signature, *, most_bytes: int = MOST_WEIGHTS_BYTES
    ) -> OnnxFiles:
        """The graph with the values of `variables`, optimised and finished: the bytes of a fresh export.

        Args:
            variables: Of the shapes that the template was made for.
            signature: Inputs and outputs.
            most_bytes: Of `variables` in the graph; with more they lie beside it.
        """
        import onnx
        from onnxscript import optimizer

        proto = onnx.ModelProto.FromString(self.model_bytes)
        if sum(variables[place].nbytes for place in self.places.values()) > most_bytes:
            return self._fill_beside(proto, variables, signature)
        for item in proto.graph.initializer:
            if item.name in self.places:
                item.raw_data = raw_bytes(variables[self.places[item.name]])
        with known_noise():
            return finish_files(optimizer.optimize(proto), signature, most_bytes=most_bytes)

    def _fill_beside(self, proto: Any, variables: Sequence[Any], signature: Signature) -> OnnxFiles:
        """The optimizer sees the model's own tensors; the message that comes of it never holds a large one."""
        from onnx_ir.tensor_adapters import TorchTensor
        from onnxscript import ir, optimizer

        model = ir.serde.deserialize_model(proto)
        for name, place in self.places.items():
            model.graph.initializers[name].const_value = TorchTensor(variables[place].detach(), name=name)
        with known_noise():
            optimizer.optimize(model)
            values = leave_out(model.graph)
            return finish_files(ir.serde.serialize_model(model), signature, values=values)


def load_template(shelf: Architectures, key: str) -> Template | None:
    """What `keep_template` kept."""
    facts, content = shelf.get(key), shelf.graph(key)
    if facts is None or content is None:
        return None
    return Template(content, facts["places"], tuple(map(tuple, facts["shapes"])), facts["settled"])


def keep_template(shelf: Architectures, key: str, template: Template) -> None:
    """Keeps the graph for other processes."""
    facts = {"places": template.places, "shapes": template.shapes, "settled": template.settled}
    shelf.put_graph(key, template.model_bytes, facts)


def variable_places(program: Any, variables: Sequence[Any]) -> dict[str, int]:
    """Which constants of a traced program are variables of the model, found by the address of their values.

    Args:
        program: `torch.export.ExportedProgram`, in which Keras' variables appear as constants.
        variables: Tensors of the model, untouched since it was traced.
    """
    addresses = {variable_address(variable): number for number, variable in enumerate(variables)}
    # Keras lists its variables as parameters too, under names that it numbers, but takes their values as constants.
    used = {node.name for node in program.graph.nodes if node.users}
    names = [spec.target for spec in program.graph_signature.input_specs if spec.arg.name in used and spec.target]
    tensors = {**program.state_dict, **program.constants}
    return {
        name: addresses[variable_address(tensors[name])]
        for name in names
        if variable_address(tensors[name]) in addresses
    }


def raw_bytes(tensor: Any) -> bytes:
    """The bytes of a tensor's values; numpy does not know all of torch's types."""
    import torch

    packed = tensor.detach().cpu().clone(memory_format=torch.contiguous_format)  # one value may have a stride of zero
    content: bytes = packed.reshape(-1).view(torch.uint8).numpy().tobytes()
    return content


def variable_address(tensor: Any) -> tuple[int, tuple[int, ...], str]:
    """By which a variable is known wherever it is used."""
    return tensor.data_ptr(), tuple(tensor.shape), str(tensor.dtype)


def _shapes(variables: Sequence[Any]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(variable.shape) for variable in variables)
