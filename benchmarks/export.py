"""FP32 against the INT8 recipes on two models trained on real Fashion-MNIST rows."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks._harness import Benchmark, Options, Outcome
from benchmarks._harness import Target as Bound
from evertune.losses import row_losses
from evertune.rows import Rows
from evertune.settings import ExportSettings, LimitSettings
from evertune.task import Splits, Task
from evertune.tensors import TensorSpec
from examples.fashion_mnist.data import stream_rows, training_rows

if TYPE_CHECKING:
    from export import Candidate, ExportResult

_EPOCHS, _QUICK_EPOCHS = 5, 1
_CONFIRMING_ROUNDS = 51
_LIMITS = LimitSettings(latency_seconds=1, size_bytes=1_000_000_000)  # not what is measured here


class _Fashion(Task):
    """The shipped excerpt. Of the stream, 4,000 rows choose and the other 4,000 judge the choice."""

    name = "fashion"
    labels = tuple("0123456789")
    inputs = (TensorSpec("image", "uint8", (28, 28)),)

    def load(self) -> Splits:
        rows, stream = training_rows(), stream_rows()
        cuts = (rows.take(slice(0, 11_000)), stream.take(slice(0, 4_000)), rows.take(slice(11_000, 11_512)))
        return Splits(*cuts, stream.take(slice(4_000, None)))

    def build(self, hp: Any) -> Any:
        raise NotImplementedError


def run(options: Options) -> Outcome:
    """Trains a perceptron and a small convolutional network, exports both in full, and compares the candidates."""
    os.environ["KERAS_BACKEND"] = "torch"
    from export import export_model

    task = _Fashion()
    splits = task.load()
    epochs = _QUICK_EPOCHS if options.quick else _EPOCHS
    figures: dict[str, float] = {}
    targets: dict[str, Bound] = {}
    for name, build in (("mlp", _mlp), ("cnn", _cnn)):
        model = _trained(build, splits.train, epochs, options.seed)
        result = export_model(model, task, splits, settings=ExportSettings(), limits=_LIMITS, seed=options.seed)
        for candidate in result.candidates:
            figures |= _figures(f"{name}_{candidate.recipe.replace('-', '_')}", candidate)
        figures |= _confirmed(f"{name}_chosen", result, task, splits)
        figures[f"{name}_parity_absolute"] = result.parity.absolute
        targets |= _targets(name)
        print(f"{name}: {result.reason}", flush=True)
    rows = {"train_rows": len(splits.train), "choice_rows": len(splits.validation), "drop_rows": len(splits.test)}
    return Outcome(figures, targets, {"epochs": epochs, "threads": 1, **rows})


def _confirmed(prefix: str, result: ExportResult, task: Task, splits: Splits) -> dict[str, float]:
    """The choice judged on rows and rounds it was not made with: else its targets are met by construction."""
    from evertune.runtime import Session
    from export.measure import measure_latency
    from export.scoring import outputs_of

    files = {"fp32": result.candidate("fp32").model_bytes, "chosen": result.chosen.model_bytes}
    sessions = {name: Session(content, task.signature) for name, content in files.items()}
    losses = {
        name: row_losses(task.kind, outputs_of(session, splits.test.inputs), splits.test.labels)
        for name, session in sessions.items()
    }
    times = measure_latency(sessions, splits.test.inputs, baseline="fp32", rounds=_CONFIRMING_ROUNDS)
    return {
        f"{prefix}_accuracy": 1 - float(losses["chosen"].mean()),
        f"{prefix}_accuracy_drop": float((losses["chosen"] - losses["fp32"]).mean()),
        f"{prefix}_size_ratio": len(files["chosen"]) / len(files["fp32"]),
        f"{prefix}_is_quantized": float(result.chosen.recipe != "fp32"),
        f"{prefix}_latency_ratio_worst": max(times.ratio["chosen"].values()),
    }


def _targets(name: str) -> dict[str, Bound]:
    # The mlp's INT8 must be worth it on any processor with AVX2; the cnn's may not be, and then FP32 must be chosen.
    targets: dict[str, Bound] = {
        f"{name}_parity_absolute": ("<=", 1e-4),
        f"{name}_chosen_accuracy_drop": ("<=", 0.005),
        f"{name}_chosen_latency_ratio_worst": ("<=", 1.05),
    }
    return targets | ({f"{name}_chosen_size_ratio": ("<=", 0.30)} if name == "mlp" else {})


def _figures(prefix: str, candidate: Candidate) -> dict[str, float]:
    if not candidate.size_bytes:
        return {}  # the recipe failed; `refused` says why
    figures = {
        f"{prefix}_accuracy": candidate.accuracy,
        f"{prefix}_size_ratio": candidate.size_ratio,
        f"{prefix}_parity_absolute": candidate.parity.absolute if candidate.parity else float("nan"),
    }
    for size, ratio in candidate.latency_ratio.items():
        figures[f"{prefix}_latency_ratio_batch_{size}"] = ratio
        figures[f"{prefix}_latency_seconds_batch_{size}"] = candidate.latency_seconds[size]
    return figures


def _trained(build: Callable[[], Any], rows: Rows, epochs: int, seed: int) -> Any:
    import random

    import keras
    import torch

    random.seed(seed)  # Keras draws the seeds of its initializers from here, and from nowhere else
    torch.manual_seed(seed)
    torch.set_num_threads(os.cpu_count() or 1)
    model = build()
    model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    order = np.random.default_rng(seed).permutation(len(rows))  # also a copy: the shipped rows are read-only
    model.fit(rows.inputs["image"][order], rows.labels[order], epochs=epochs, batch_size=64, verbose=0)
    return model


def _mlp() -> Any:
    import keras

    inputs = keras.Input((28, 28), dtype="uint8", name="image")
    hidden = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    for units in (256, 128):
        hidden = keras.layers.Dense(units, activation="relu")(hidden)
    return keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(hidden))


def _cnn() -> Any:
    import keras

    inputs = keras.Input((28, 28), dtype="uint8", name="image")
    hidden = keras.layers.Reshape((28, 28, 1))(keras.layers.Rescaling(1 / 255)(inputs))
    for filters in (16, 32):
        hidden = keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(hidden)
        hidden = keras.layers.MaxPooling2D()(hidden)
    hidden = keras.layers.Dense(64, activation="relu")(keras.layers.Flatten()(hidden))
    return keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(hidden))


BENCHMARK = Benchmark(
    summary="FP32 against INT8 recipes: accuracy, size, interleaved latency",
    duration="about 4 minutes; with --quick 2 minutes",
    run=run,
)
