"""One small model of each framework for any of the domains' tasks."""

from __future__ import annotations

from typing import Any

import numpy as np

from evertune.preprocessing import Categories, Text
from evertune.task import Task


def torch_module(hp: Any, task: Task) -> Any:
    """A hidden layer, over embeddings where the input holds codes; scores or logits, one a label."""
    import torch

    width = int(hp.Choice("width", [32, 64], default=64))
    columns = sum(int(np.prod([size or 1 for size in spec.shape])) for spec in task.inputs)
    has_bytes = task.inputs[0].dtype == "uint8"
    sizes = _vocabulary(task)

    class Module(torch.nn.Module):
        returns_logits = True

        def __init__(self) -> None:
            super().__init__()
            self.embedding = torch.nn.Embedding(sizes, width) if sizes else None
            self.hidden = torch.nn.Linear(width if sizes else columns, width)
            self.last = torch.nn.Linear(width, len(task.labels))

        def forward(self, *inputs: Any) -> Any:
            x = torch.cat([each.flatten(1) for each in inputs], dim=1)
            if self.embedding is not None:
                x = self.embedding(x.long()).mean(dim=1)
            else:
                x = x.float() / (255.0 if has_bytes else 1.0)
            return self.last(torch.relu(self.hidden(x)))

    return Module()


def sklearn_estimator(hp: Any, task: Task) -> Any:
    """Boosted trees for measurements, a linear model for pixels."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MinMaxScaler

    (spec,) = task.inputs
    if len(spec.shape) == 1:
        rate = float(hp.Float("learning_rate", 0.02, 0.3, sampling="log", default=0.1))
        return HistGradientBoostingClassifier(learning_rate=rate, max_iter=60, max_leaf_nodes=15)
    strength = float(hp.Float("C", 1e-3, 1.0, sampling="log", default=0.01))
    return make_pipeline(MinMaxScaler(), LogisticRegression(C=strength, max_iter=60))


def _vocabulary(task: Task) -> int:
    """Codes that an embedding must hold; 0 where the input is no code."""
    preprocessor = task.preprocessor()
    steps = () if preprocessor is None else preprocessor.steps
    sizes = [step.size for step in steps if isinstance(step, Text)]
    sizes += [size for step in steps if isinstance(step, Categories) for size in step.sizes]
    return max(sizes, default=0)
