"""What fine-tuning for INT8 owes, in figures, on whichever backend Keras runs.

`KERAS_BACKEND=... python -m tests.export.quantization.aware_contract FOLDER` prints them for the model in the folder.
"""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from evertune.losses import row_losses
from evertune.rows import Rows
from evertune.runtime import Session
from evertune.settings import ExportSettings, LimitSettings
from evertune.task import Splits, Task
from evertune.tensors import Array, Signature, Tensors, TensorSpec
from export.candidate import Candidate
from export.converters import converter_for
from export.pipeline import convert
from export.precisions import Precisions
from export.quantization import Quantizer, optimise
from export.quantization.last_resort import last_resort
from export.quantization.ranges import Ranges
from export.recipes import FP32, recipe_named
from export.scoring import outputs_of
from export.verify import verify

U8S8 = recipe_named("int8-static-all-u8s8")


def fragile(model: Any) -> Any:
    """A perceptron with hidden units of very different size: the same function as `model`, but not in INT8.

    A unit times a positive number, and what follows divided by it, changes nothing before or after a ReLU.
    """
    import keras

    made = copied(model.get_config(), [variable.value for variable in model.variables])
    dense = [layer for layer in made.layers if isinstance(layer, keras.layers.Dense)]
    random = np.random.default_rng(0)
    for layer, following in pairwise(dense):
        factor = keras.ops.convert_to_tensor(np.exp(random.uniform(-3, 3, layer.units)).astype(np.float32))
        layer.kernel.assign(layer.kernel * factor)
        layer.bias.assign(layer.bias * factor)
        following.kernel.assign(following.kernel / factor[:, None])
    return made


def copied(config: dict[str, Any], values: list[Any]) -> Any:
    import keras

    model = keras.Model.from_config(config)
    for variable, value in zip(model.variables, values, strict=True):
        variable.assign(value)
    return model


def distances(model: Any, task: Task, splits: Splits) -> dict[str, float]:
    """Between answers in FP32, while activations are observed, with rounding, and of the quantized file."""
    source = converter_for(model).convert(model, task.signature)
    rows = Rows({"image": splits.calibration.inputs["image"][:64]}, splits.calibration.labels[:64])
    quantized = verify(Quantizer(source.model_bytes, task.signature, rows).quantize(U8S8), task.signature)
    plain = source.predict(rows.inputs)["probabilities"]
    observed, rounded = both(source.predict, rows.inputs)
    found = quantized.run(rows.inputs)["probabilities"]
    pairs = {
        "observing": (plain, observed),
        "rounding": (plain, rounded),
        "file": (rounded, found),
        "without": (plain, found),
    }
    return {name: float(np.abs(one - other).max()) for name, (one, other) in pairs.items()}


def both(forward: Any, inputs: Tensors) -> tuple[Array, Array]:
    """Answers while ranges are observed, and then with rounding."""
    import keras

    ranges = Ranges()
    if keras.config.backend() == "torch":
        from export.quantization.fake_torch import rounding as of_torch

        with of_torch(ranges, observe=True):
            observed = forward(inputs)["probabilities"]
        with of_torch(ranges, observe=False):
            return observed, forward(inputs)["probabilities"]
    from export.quantization.fake_tensorflow import rounding

    with rounding(ranges, observe=True) as seen:
        observed = forward(inputs)["probabilities"]
    for place, pair in enumerate(seen):
        ranges.widen(place, pair.numpy())
    with rounding(ranges, observe=False):
        return observed, forward(inputs)["probabilities"]


def kernels() -> dict[str, float]:
    """By layer: how far rounding is from the same layer with a kernel that has one scale a channel, rounded here.

    Images are steps of 1/255 already, so that rounding them changes nothing.
    """
    import keras

    layers: Any = keras.layers
    cases = {
        "dense": (layers.Dense(4), (0,)),
        "convolution": (layers.Conv2D(4, 3), (0, 1, 2)),
        "depthwise": (layers.DepthwiseConv2D(3, depth_multiplier=2), (0, 1)),
        "transposed": (layers.Conv2DTranspose(4, 3), (0, 1, 3)),
    }
    return {name: _off(layer, axes) for name, (layer, axes) in cases.items()}


def _off(layer: Any, axes: tuple[int, ...]) -> float:
    import keras

    inputs = keras.Input((8, 8, 2), name="image")
    model = keras.Model(inputs, layer(inputs))
    (kernel,) = (each for each in model.trainable_variables if "kernel" in each.name)
    random = np.random.default_rng(0)
    kernel.assign(random.standard_normal(kernel.shape).astype(np.float32))
    signature = Signature((TensorSpec("image", "float32", (8, 8, 2)),), (TensorSpec("probabilities", "float32", ()),))
    forward = converter_for(model).forward(model, signature, "regression")
    image = {"image": (random.integers(0, 256, (2, 8, 8, 2)) / 255).astype(np.float32)}
    _, found = both(forward, image)
    plain, value = forward(image)["probabilities"], numbers(kernel)
    scale = np.abs(value).max(axis=axes, keepdims=True) / 127
    kernel.assign(np.rint(value / scale) * scale)
    expected = forward(image)["probabilities"]
    return float(np.abs(found - expected).max() / np.abs(plain - expected).max())


def repair(model: Any, task: Task, splits: Splits) -> dict[str, Any]:
    """Accuracies of a fragile model in FP32, in INT8, and in INT8 after fine-tuning; and whether it stayed itself."""
    settings = ExportSettings()
    source, fp32, _ = convert(model, task.signature, splits.validation.inputs, settings)
    plain = Quantizer(source.model_bytes, task.signature, splits.calibration).quantize(U8S8)
    lossy = Candidate(U8S8.name, risk=0.3, latency_seconds={1: 0.0}, latency_ratio={1: 0.5}, size_ratio=0.3)
    recipe = last_resort([Candidate(FP32), lossy], settings, LimitSettings())
    assert recipe is not None
    ((tuned, session),) = Precisions(source, fp32, task, splits, settings).fine_tuned(model, recipe, seed=0)
    assert session is not None

    def accuracy(session: Session) -> float:
        outputs = outputs_of(session, splits.validation.inputs)
        return 1 - float(row_losses(task.kind, outputs, splits.validation.labels, task.parameters).mean())

    again = optimise(converter_for(model).convert(model, task.signature).model_bytes, task.signature)
    return {
        "recipe": tuned.recipe,
        "size": tuned.size_ratio,
        "fp32": accuracy(fp32),
        "int8": accuracy(verify(plain, task.signature)),
        "aware": accuracy(session),
        "itself": again == source.model_bytes,
    }


def figures(model: Any, task: Task, splits: Splits) -> dict[str, Any]:
    return {
        "distances": distances(model, task, splits),
        "kernels": kernels(),
        "repair": repair(fragile(model), task, splits),
    }


def write(model: Any, folder: Path) -> None:
    """Without Keras' own files: to write them, Keras on torch imports TensorFlow."""
    (folder / "config.json").write_text(json.dumps(model.get_config()))
    np.savez(folder / "weights.npz", *map(numbers, model.variables))


def numbers(variable: Any) -> Array:
    """As `convert_to_numpy`, which warns on torch under numpy 2.4."""
    value = variable.value
    found: Array = (value.detach() if hasattr(value, "detach") else value).numpy()
    return found


def main() -> None:
    from tests.export.fashion import Fashion

    folder, task = Path(sys.argv[1]), Fashion()
    with np.load(folder / "weights.npz") as weights:
        model = copied(json.loads((folder / "config.json").read_text()), list(weights.values()))
    print(json.dumps(figures(model, task, task.load())))


if __name__ == "__main__":
    main()
