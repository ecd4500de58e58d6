"""The domains' own tasks, each with the model of each framework: what a cell of the table searches."""

from __future__ import annotations

from typing import Any

from benchmarks.coverage.models import sklearn_estimator, torch_module
from evertune.rows import Rows
from evertune.splitting import split
from evertune.task import LabelledWindow, Splits, Task
from examples.fashion_mnist.task import FashionMnist
from examples.movielens.task import MovieLens
from examples.sms_spam.task import SmsSpam
from examples.weather.task import Weather


class Contradicted(Task):
    """A task whose world turned round: the old rows say what is wrong now, so a re-tune learns from the new alone."""

    def data(self, window: LabelledWindow) -> Splits:
        """The window's rows where there are some."""
        rows: Rows | None = window.rows
        return self.load() if rows is None else split(rows, ratios=(0.65, 0.15, 0.1, 0.1))


class TorchModule(Contradicted):
    """A `torch.nn.Module` in place of the preset."""

    def build(self, hp: Any) -> Any:
        """See `benchmarks.coverage.models`."""
        return torch_module(hp, self)


class SklearnEstimator(Contradicted):
    """A scikit-learn estimator in place of the preset."""

    def build(self, hp: Any) -> Any:
        """See `benchmarks.coverage.models`."""
        return sklearn_estimator(hp, self)


class KerasImage(Contradicted, FashionMnist):
    """Image, Keras on either backend."""


class KerasText(Contradicted, SmsSpam):
    """Text, Keras on either backend."""


class KerasTabular(Contradicted, Weather):
    """Columns, Keras on either backend."""


class KerasRecommendation(Contradicted, MovieLens):
    """Ids, Keras on either backend."""


class TorchImage(TorchModule, FashionMnist):
    """Image, torch."""


class TorchText(TorchModule, SmsSpam):
    """Text, torch."""


class TorchTabular(TorchModule, Weather):
    """Columns, torch."""


class TorchRecommendation(TorchModule, MovieLens):
    """Ids, torch."""


class SklearnImage(SklearnEstimator, FashionMnist):
    """Image, scikit-learn."""


class SklearnTabular(SklearnEstimator, Weather):
    """Columns, scikit-learn."""
