"""Which models become the same ONNX graph, told by one call of each."""

from __future__ import annotations

import hashlib
from typing import Any

from export.converters.forward import TorchForward
from export.converters.template import raw_bytes, variable_address


def fingerprint(forward: TorchForward) -> str:
    """A key that two models share when they compute the same and differ in the values of their variables only.

    The model is called once on two rows, and each operation is written down as it reaches torch: its name, its numbers,
    and which input, variable or earlier result each of its tensors is. That takes milliseconds, where tracing with
    `torch.export` takes from a third of a second on. What another number of rows would change is not seen: whoever
    uses a graph by this key proves it (`Tracer`).

    Keras' own `get_config` is not used: it imports TensorFlow (seven seconds), numbers layers on and on, and does not
    tell what a layer holds beside it (the mean of an adapted `Normalization`).
    """
    return str(_recorded(forward).digest.hexdigest())


def operations(forward: TorchForward) -> str:
    """A key that two models share when they run the same operations in the same order, of whatever sizes."""
    return str(_recorded(forward).operations.hexdigest())


def _recorded(forward: TorchForward) -> Any:
    import torch

    recorder = _recorder(forward)
    inputs = forward.example()
    with torch.no_grad():
        for position, tensor in enumerate(inputs):
            recorder.name(tensor, f"input {position}")
        with recorder:
            found = forward.outputs(*inputs)
        for tensor in found:
            recorder.digest.update(recorder.tensor(tensor).encode())
    return recorder


def _recorder(forward: TorchForward) -> Any:
    """The class is made here: its base class comes with torch."""
    from torch import Tensor
    from torch.utils._python_dispatch import TorchDispatchMode  # what torch's own tools record calls with
    from torch.utils._pytree import tree_flatten

    class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it so
        def __init__(self) -> None:
            super().__init__()  # type: ignore[no-untyped-call]
            self.digest, self.operations = hashlib.sha256(), hashlib.sha256()
            self._variables = {variable_address(each): number for number, each in enumerate(forward.variables())}
            self._names: dict[int, str] = {}
            self._alive: list[Tensor] = []  # an address must not be used twice

        def name(self, tensor: Tensor, name: str) -> None:
            self._names[id(tensor)] = name
            self._alive.append(tensor)

        def tensor(self, tensor: Tensor) -> str:
            known = self._names.get(id(tensor))
            if known is None:
                variable = self._variables.get(variable_address(tensor))
                known = (
                    f"variable {variable}" if variable is not None else hashlib.sha256(raw_bytes(tensor)).hexdigest()
                )
            return f"{known} {tensor.dtype} {tuple(tensor.shape)}"

        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            given, structure = tree_flatten((args, kwargs or {}))
            facts = [self.tensor(each) if isinstance(each, Tensor) else repr(each) for each in given]
            self.digest.update(repr((str(function), str(structure), facts)).encode())
            self.operations.update(f"{function};".encode())
            result = function(*args, **(kwargs or {}))
            for each in tree_flatten(result)[0]:
                if isinstance(each, Tensor):
                    self.name(each, f"result {len(self._alive)}")
            return result

    return Recorder()
