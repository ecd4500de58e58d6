"""A torch model as a function of the task's inputs, whoever wrote it."""

from __future__ import annotations

import abc
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from evertune.tensors import Array, Signature, Tensors
from export.converters.answers import answers, not_a_tensor
from export.converters.attention import four_axes
from export.converters.blame import Words, explain
from export.verify import check_width

_FREE_AXIS = 8  # length of an axis that may have any, in example rows


def example_rows(signature: Signature, rows: int = 2) -> Tensors:
    """Zeros; two rows, because torch bakes in axes of length one. Free axes get length 8, likewise."""
    return {
        spec.name: np.zeros((rows, *(_FREE_AXIS if size is None else size for size in spec.shape)), spec.dtype)
        for spec in signature.inputs
    }


class TorchForward(abc.ABC):
    """Calls a model that computes with torch.

    Args:
        model: Keras model on torch, or module.
        signature: Declared inputs and outputs.
        words: For errors.
    """

    def __init__(self, model: Any, signature: Signature, words: Words) -> None:
        self.model = model
        self.signature = signature
        self.words = words

    @abc.abstractmethod
    def call(self, *tensors: Any) -> Any:
        """What the model returns for one tensor an input, in declared order."""

    @abc.abstractmethod
    def variables(self) -> list[Any]:
        """The tensors that training changes, in an order that does not change."""

    def __call__(self, inputs: Tensors) -> Tensors:
        """Named arrays in, the declared outputs out."""
        import torch

        with torch.no_grad():
            found = self.outputs(*(self.tensor(inputs[spec.name]) for spec in self.signature.inputs))
        return {spec.name: value.cpu().numpy() for spec, value in zip(self.signature.outputs, found, strict=True)}

    def outputs(self, *tensors: Any) -> tuple[Any, ...]:
        """The declared outputs in order."""
        return answers(self.call(*tensors), self.signature)

    def example(self) -> tuple[Any, ...]:
        """Tensors of two rows."""
        return tuple(self.tensor(value) for value in example_rows(self.signature).values())

    def tensor(self, value: Array) -> Any:
        """A torch tensor on the device of the model's weights."""
        import torch

        weights = self.variables()
        # A copy: torch refuses read-only arrays.
        return torch.as_tensor(np.array(value), device=weights[0].device if weights else self.device())

    def device(self) -> Any:
        """Of a model without weights."""
        return "cpu"

    def tracing(self) -> AbstractContextManager[None]:
        """What holds while the model is traced."""
        return four_axes()

    def module(self) -> Any:
        """The model in a module whose only argument is the tuple of its inputs.

        It hides the model's own call signature; Keras' `*args` is one that torch.export cannot match.
        """
        import torch

        forward = self

        class Plain(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.model = forward.model
                self.training = False

            def forward(self, inputs: tuple[Any, ...]) -> Any:
                return forward.outputs(*inputs)

        return Plain()

    def on_example(self) -> Any:
        """What the model returns for the example rows."""
        import torch

        with torch.no_grad():
            return self.call(*self.example())

    def check(self) -> None:
        """Calls the model once, which also creates the weights of a model that was never called.

        Raises:
            ExportError: It does not run, or its output does not fit the labels: seconds before tracing would tell.
        """
        import torch

        try:
            result = self.on_example()
        except Exception as error:  # whatever a user's layer raises
            problem = "does not run on the inputs that Task.inputs declares"
            raise explain(error, self.on_example, problem, self.words) from error
        found = answers(result, self.signature)
        for each in found:
            if not isinstance(each, torch.Tensor):
                raise not_a_tensor(each)
        check_width(tuple(found[0].shape), self.signature)
