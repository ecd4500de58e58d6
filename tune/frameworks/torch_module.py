"""Plain `torch.nn.Module`s, trained by a loop of ours."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from evertune.errors import TaskError
from evertune.rows import Rows
from evertune.task import Splits, Task
from evertune.tensors import Array, Tensors
from tune.frameworks.framework import AfterEpoch, Lesson, OwnFit
from tune.frameworks.output import wrong_output
from tune.frameworks.torch_optimizer import decay_weights, restore_state, state_of, torch_optimizer
from tune.losses import choose_loss
from tune.optimization import Optimization, choose_optimization
from tune.seeding import seed_generators
from tune.strategy import Strategy, choose_strategy

_PREDICT_ROWS = 1024
_TRIED_ROWS = 2
_FREE_AXIS = 8  # length of an axis that may have any, where a module is tried
_ACTIVATIONS = {"classification": "softmax", "multilabel": "sigmoid", "regression": "none", "ranking": "none"}


class TorchModules:
    """See `Framework`."""

    name = "a torch.nn.Module"
    measured_untrained = True

    def accepts(self, model: Any) -> bool:
        """Whether `model` is a `torch.nn.Module`."""
        return any(
            base.__name__ == "Module" and base.__module__ == "torch.nn.modules.module" for base in type(model).__mro__
        )

    def check(self, model: Any, task: Task) -> None:
        """Calls the module with two rows of zeros, which also makes the weights of lazy layers."""
        import torch

        _require_torch_backend(task)
        tensors = [
            torch.zeros((_TRIED_ROWS, *(size or _FREE_AXIS for size in spec.shape)), dtype=getattr(torch, spec.dtype))
            for spec in task.inputs
        ]
        model.eval()
        try:
            with torch.no_grad():
                found = model(*tensors)
        except Exception as error:  # whatever a user's module raises
            raise TaskError(
                f"the module of {type(task).__name__}.build does not run on Task.inputs: {type(error).__name__}: "
                f"{str(error).splitlines()[0] if str(error) else ''}",
                fix="Let forward() take one tensor an input, of the declared dtype and shape (rows, ...).",
            ) from error
        spec = task.signature.outputs[0]
        if not isinstance(found, torch.Tensor) or tuple(found.shape) != (_TRIED_ROWS, *spec.shape):
            shape = (None, *found.shape[1:]) if isinstance(found, torch.Tensor) else type(found).__name__
            last = ", and set returns_logits = True on it" if spec.name == "probabilities" else ""
            raise wrong_output(task, shape, f"End the module with torch.nn.Linear(..., {spec.shape[0]}){last}.")

    def learner(self, hp: Any, model: Any, task: Task, rows: Rows, max_epochs: int) -> TorchLearner:
        """See `Framework.learner`."""
        if hasattr(task, "fit"):
            return TorchLearner(model, task, Strategy(_PREDICT_ROWS), None, None)
        strategy = choose_strategy(hp, task, rows.labels, max_epochs=max_epochs)
        steps = -(-len(rows) // strategy.batch_size) * max_epochs
        optimization = choose_optimization(hp, steps=steps)
        loss = choose_loss(hp, task).torch(logits=getattr(model, "returns_logits", False))
        return TorchLearner(model, task, strategy, optimization, loss)


def _require_torch_backend(task: Task) -> None:
    keras = sys.modules.get("keras")
    if keras is not None and keras.config.backend() != "torch":
        raise TaskError(
            f"{type(task).__name__}.build returned a torch module, but Keras runs on {keras.config.backend()!r} here",
            fix='Set tune.backend = "torch": one framework a process.',
        )


class TorchLearner:
    """See `Learner`. Trains on the first CUDA device, if there is one.

    Args:
        model: Checked.
        task: Its kind decides what logits become.
        strategy: Of the batches.
        optimization: Of the steps; None where the task trains itself.
        loss: Of (outputs, truth), one a row.
    """

    most_epochs: int | None = None
    keeps_weights = True

    def __init__(
        self, model: Any, task: Task, strategy: Strategy, optimization: Optimization | None, loss: Any
    ) -> None:
        self.model = model
        self.strategy: Strategy | None = strategy
        self._batch_size = strategy.batch_size
        self._names = [spec.name for spec in task.inputs]
        self._activation = _ACTIVATIONS[task.kind] if getattr(model, "returns_logits", False) else "none"
        self._optimization = optimization
        parameters = list(model.parameters())
        self._optimizer: Any = None if optimization is None else torch_optimizer(optimization, parameters)
        self._loss = loss

    def train_epoch(self, lesson: Lesson, *, epoch: int, seed: int) -> float:
        """See `Learner.train_epoch`."""
        assert self._optimization is not None  # a task that trains itself never comes here
        seed_generators(seed)
        self.model.to(_device()).train()
        starts = list(_starts(len(lesson.labels), self._batch_size))
        total = 0.0
        for number, start in enumerate(starts):
            rate = self._optimization.rate(epoch * len(starts) + number)
            for group in self._optimizer.param_groups:
                group["lr"] = rate
            shrink = rate * self._optimization.weight_decay
            total += self._step(lesson, slice(start, start + self._batch_size), shrink)
        return total / len(lesson.labels)

    def _step(self, lesson: Lesson, part: slice, shrink: float) -> float:
        self._optimizer.zero_grad()
        losses = self._loss(self._call(lesson.inputs, part), _tensor(lesson.labels[part]))
        if lesson.weights is not None:
            losses = losses * _tensor(lesson.weights[part].astype(np.float32))
        losses.mean().backward()
        if shrink:
            decay_weights(self.model.parameters(), shrink)
        self._optimizer.step()
        return float(losses.detach().sum())

    def _call(self, inputs: Tensors, part: slice) -> Any:
        return self.model(*(_tensor(inputs[name][part]) for name in self._names))

    def fit_own(self, fit: OwnFit, splits: Splits, epochs: int, after: AfterEpoch) -> None:
        """Reports through a callback: a function of the epochs done, which returns whether to go on."""
        self.model.train()
        fit(self.model, splits.train, splits.validation, epochs, [after])

    def predict(self, inputs: Tensors) -> Array:
        """See `Learner.predict`."""
        import torch

        rows = len(inputs[self._names[0]])
        training = self.model.training
        self.model.to(_device()).eval()
        with torch.no_grad():
            parts = [self._call(inputs, slice(at, at + _PREDICT_ROWS)) for at in range(0, rows, _PREDICT_ROWS)]
            found = torch.cat(parts)
            if self._activation != "none":
                found = found.softmax(-1) if self._activation == "softmax" else found.sigmoid()
        self.model.train(training)
        return np.asarray(found.float().cpu().numpy())

    def exported(self) -> Any:
        """On the CPU: there parity is exact, and there is where latency is measured."""
        return self.model.to("cpu").eval()

    def weights(self) -> list[Array]:
        """Parameters, then buffers, each by its own name's order in the module."""
        return [np.array(value.detach().cpu()) for value in self._tensors()]

    def assign(self, values: Sequence[Array]) -> bool:
        """See `Learner.assign`."""
        import torch

        tensors = self._tensors()
        if [tuple(tensor.shape) for tensor in tensors] != [value.shape for value in values]:
            return False
        with torch.no_grad():
            for tensor, value in zip(tensors, values, strict=True):
                tensor.copy_(torch.from_numpy(np.array(value)))
        return True

    def state(self) -> dict[str, list[Array]]:
        """Weights, and what the optimizer remembers; the rate of a step depends on its number alone."""
        return {"model": self.weights(), **state_of(self._optimizer)}

    def restore(self, state: dict[str, list[Array]]) -> bool:
        """See `Learner.restore`."""
        if not self.assign(state.get("model", [])):
            return False
        self.model.to(_device())  # torch puts the optimizer's memory where the parameters are
        restore_state(self._optimizer, state)
        return True

    def _tensors(self) -> list[Any]:
        return [*self.model.parameters(), *self.model.buffers()]


def _starts(rows: int, batch_size: int) -> Iterator[int]:
    """Of the batches; a last one of a single row is left out, which batch normalisation cannot learn from."""
    return (at for at in range(0, rows, batch_size) if rows - at > 1 or rows == 1)


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _tensor(value: Array) -> Any:
    import torch

    return torch.from_numpy(np.array(value)).to(_device())  # a copy: torch refuses read-only arrays
