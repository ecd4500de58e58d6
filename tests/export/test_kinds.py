"""A trained model of every kind but classification, which the other tests have, becomes a sealed bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from evertune.bundle import BundleStore
from evertune.errors import ExportError
from evertune.losses import row_losses
from evertune.rows import Rows
from evertune.settings import ExportSettings, LimitSettings
from evertune.task import Splits, Task
from evertune.tensors import Array, TensorSpec
from export import export_model, seal
from export.scoring import outputs_of
from tune.losses import choose_loss

WEIGHTS = np.random.default_rng(0).normal(size=(6, 4))


class Numbers(Task):
    """Six numbers decide."""

    name: ClassVar[str] = "numbers"
    labels: ClassVar[tuple[str, ...]] = ("a", "b", "c", "d")
    inputs: ClassVar[tuple[TensorSpec, ...]] = (TensorSpec("x", "float32", (6,)),)
    activation: ClassVar[str | None] = None

    def truth(self, scores: Array) -> Array:
        raise NotImplementedError

    def load(self) -> Splits:
        def part(seed: int, rows: int) -> Rows:
            x = np.random.default_rng(seed).normal(size=(rows, 6)).astype(np.float32)
            return Rows({"x": x}, self.truth(x @ WEIGHTS))

        test = part(4, 300)
        return Splits(part(1, 2000), part(2, 300), part(3, 300), test, slices={"warm": test.inputs["x"][:, 0] > 0})

    def build(self, hp: Any) -> Any:
        import keras

        x = keras.Input((6,), name="x")
        width = self.signature.outputs[0].shape[0]
        model = keras.Model(x, keras.layers.Dense(width, activation=self.activation)(x))
        model.compile(keras.optimizers.Adam(0.05), choose_loss(hp, self).keras())
        return model


class Tags(Numbers):
    """Those above zero."""

    kind = "multilabel"
    activation: ClassVar[str | None] = "sigmoid"

    def truth(self, scores: Array) -> Array:
        return np.asarray(scores > 0, np.uint8)


class Amount(Numbers):
    """Far from zero, as amounts are."""

    kind, labels, loss_scale = "regression", ("amount",), 3.0

    def truth(self, scores: Array) -> Array:
        return np.asarray(1000 + scores[:, 0], np.float32)

    def build(self, hp: Any) -> Any:
        model = super().build(hp)
        model.layers[-1].bias.assign([1000.0])
        return model


class First(Numbers):
    """The largest."""

    kind, top_k = "ranking", 2

    def truth(self, scores: Array) -> Array:
        return np.asarray(scores.argmax(axis=1))


@pytest.mark.parametrize("task", [Tags(), Amount(), First()], ids=lambda task: task.kind)
def test_what_is_sealed_has_the_score_of_its_own_outputs(task: Numbers, tmp_path: Path) -> None:
    import keras_tuner

    splits, limits = task.load(), LimitSettings(latency_seconds=10, size_bytes=100_000_000)
    model = task.build(keras_tuner.HyperParameters())
    model.fit(splits.train.inputs["x"], splits.train.labels, epochs=4, batch_size=32, verbose=0)
    result = export_model(model, task, splits, settings=ExportSettings(), limits=limits, seed=0)
    bundle = seal(result, task, splits, BundleStore(str(tmp_path)), lineage={})
    manifest = bundle.manifest
    assert (manifest.kind, manifest.parameters) == (task.kind, task.parameters)
    outputs = outputs_of(bundle.verified_session(), splits.test.inputs)
    losses = row_losses(task.kind, outputs, splits.test.labels, manifest.parameters)
    assert bundle.reference.loss_mean == pytest.approx(losses.mean())
    assert losses.mean() < 0.3  # something was learned
    evaluation = (bundle.attestation() or {})["evaluation"]
    assert evaluation["score"]["value"] == pytest.approx(1 - losses.mean())
    assert evaluation["slices"]["warm"]["rows"] == int((splits.test.inputs["x"][:, 0] > 0).sum())
    calibrated = 1 - losses.mean() - bundle.reference.confidence_mean
    assert abs(calibrated) < 0.1  # the expected score, on rows that the map was not fitted on


class Bare(Tags):
    """Without a sigmoid."""

    activation = None


def test_a_multilabel_model_without_sigmoid_is_refused_with_the_layer_to_add() -> None:
    import keras_tuner

    task, limits = Bare(), LimitSettings(latency_seconds=10, size_bytes=100_000_000)
    model = task.build(keras_tuner.HyperParameters())
    with pytest.raises(ExportError, match=r'not probabilities.*activation="sigmoid"'):
        export_model(model, task, task.load(), settings=ExportSettings(), limits=limits, seed=0)
