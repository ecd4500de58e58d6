"""One small task for each framework, on the same real images; for tests and the processes that they start."""

from __future__ import annotations

from typing import Any

from evertune.task import Splits, Task
from evertune.tensors import TensorSpec
from examples.fashion_mnist.data import training_rows


class Images(Task):
    """Few rows, so that an epoch takes a blink."""

    name = "images"
    labels = tuple("0123456789")
    inputs = (TensorSpec("image", "uint8", (28, 28)),)

    def load(self) -> Splits:
        rows = training_rows()
        edges = [(0, 400), (400, 600), (600, 700), (700, 900)]
        return Splits(*[rows.take(slice(*edge)) for edge in edges])

    def build(self, hp: Any) -> Any:
        raise NotImplementedError


class KerasImages(Images):
    """With everything that draws random numbers or remembers: dropout, batch normalisation."""

    def build(self, hp: Any) -> Any:
        import keras

        image = keras.Input((28, 28), dtype="uint8", name="image")
        x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
        x = keras.layers.BatchNormalization()(keras.layers.Dense(hp.Int("units", 4, 64, default=16))(x))
        x = keras.layers.Dropout(0.2)(keras.layers.Activation("gelu")(x))
        return keras.Model(image, keras.layers.Dense(10, activation="softmax")(x))


class TorchImages(Images):
    """Likewise."""

    def build(self, hp: Any) -> Any:
        import torch

        class Scale(torch.nn.Module):
            def forward(self, image: Any) -> Any:
                return image.float().flatten(1) / 255

        units = hp.Int("units", 4, 64, default=16)
        model = torch.nn.Sequential(
            Scale(),
            torch.nn.Linear(784, units),
            torch.nn.BatchNorm1d(units),
            torch.nn.GELU(),
            torch.nn.Dropout(0.2),
            torch.nn.Linear(units, 10),
        )
        model.returns_logits = True  # type: ignore[assignment]  # modules take any attribute
        return model


class SklearnImages(Images):
    """A pipeline whose trees draw random numbers."""

    def build(self, hp: Any) -> Any:
        from sklearn.ensemble import ExtraTreesClassifier
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        trees = hp.Int("trees", 5, 50, default=10)
        return make_pipeline(StandardScaler(), ExtraTreesClassifier(trees, max_depth=8))


TASKS: dict[str, tuple[type[Images], ...]] = {
    "torch": (KerasImages, TorchImages, SklearnImages),
    "tensorflow": (KerasImages,),
}
