"""Convolutional networks, in the layout that the backend computes in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from evertune.tensors import TensorSpec
from tune.presets._layers import activate


@dataclass(frozen=True)
class Convolutions:
    """Networks from an image to one vector.

    Args:
        spec: Of the image.
        activation: After every convolution.
        normalize: Put a batch normalisation before each activation.
    """

    spec: TensorSpec
    activation: str
    normalize: bool

    def strided(self, x: Any, layers: int, filters: int) -> Any:
        """Filters double with every halving of the image, so that each layer costs about the same."""
        import keras

        x = self._laid_out(x)
        for layer in range(layers):
            x = self._convolved(x, filters * 2**layer, 3, stride=2, padding="valid")
        return keras.layers.Flatten(data_format="channels_last")(x)

    def separable(self, x: Any, stages: int, filters: int, first_stride: int) -> Any:
        """Each stage halves the image and doubles the filters, then mixes once more at that size.

        Source: A. Howard et al., "MobileNets: efficient convolutional neural networks", 2017.
        """
        x = self._convolved(self._laid_out(x), filters, 3, stride=first_stride)
        for stage in range(1, stages + 1):
            for stride in (2, 1):
                x = self._depthwise(x, stride)
                x = self._convolved(x, filters * 2**stage, 1)
        return self._pooled(x)

    def residual(self, x: Any, stages: int, filters: int, first_stride: int) -> Any:
        """One block a stage; every stage but the first halves the image and doubles the filters.

        Source: K. He et al., "Deep residual learning for image recognition", CVPR 2016.
        """
        import keras

        x = self._convolved(self._laid_out(x), filters, 3, stride=first_stride)
        for stage in range(stages):
            width, stride = filters * 2**stage, 1 if stage == 0 else 2
            inner = self._convolved(self._convolved(x, width, 3, stride=stride), width, 3, activated=False)
            around = x if stage == 0 else self._convolved(x, width, 1, stride=stride, activated=False)
            x = keras.layers.Activation(self.activation)(keras.layers.Add()([inner, around]))
        return self._pooled(x)

    def _laid_out(self, x: Any) -> Any:
        """With an axis of channels, where the backend wants it."""
        import keras

        height, width, *channels = self.spec.shape
        if self._first and channels:
            return keras.layers.Permute((3, 1, 2))(x)
        if not channels:
            return keras.layers.Reshape((1, height, width) if self._first else (height, width, 1))(x)
        return x

    def _convolved(
        self, x: Any, filters: int, size: int, *, stride: int = 1, padding: str = "same", activated: bool = True
    ) -> Any:
        import keras

        layer = keras.layers.Conv2D(
            filters, size, strides=stride, padding=padding, use_bias=not self.normalize, data_format=self._layout
        )
        return self._ended(layer(x), activated)

    def _depthwise(self, x: Any, stride: int) -> Any:
        import keras

        layer = keras.layers.DepthwiseConv2D(
            3, strides=stride, padding="same", use_bias=not self.normalize, data_format=self._layout
        )
        return self._ended(layer(x), activated=True)

    def _ended(self, x: Any, activated: bool) -> Any:
        return activate(x, self.activation if activated else None, self.normalize, axis=1 if self._first else -1)

    def _pooled(self, x: Any) -> Any:
        import keras

        return keras.layers.GlobalAveragePooling2D(data_format=self._layout)(x)

    @property
    def _first(self) -> bool:
        """Torch computes channels first: other layouts cost two transpositions a layer, trained and served."""
        import keras

        return bool(keras.config.backend() == "torch")

    @property
    def _layout(self) -> str:
        return "channels_first" if self._first else "channels_last"
