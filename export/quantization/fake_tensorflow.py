"""INT8's rounding in a Keras model on TensorFlow that goes on computing in FP32."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from export.quantization.ranges import Ranges

# By module and function of Keras' backend: for each of its first arguments the axes of a weight's channels there.
# Without einsum: tf2onnx keeps it as one operator, which ONNX Runtime does not quantize.
_FUNCTIONS: dict[tuple[str, str], tuple[tuple[int, ...], ...]] = {
    ("numpy", "matmul"): ((-1,), (-1,)),
    ("numpy", "dot"): ((-1,), (-1,)),
    ("numpy", "tensordot"): ((-1,), (-1,)),
    ("nn", "conv"): ((-1,), (-1,)),
    ("nn", "conv_transpose"): ((-1,), (-2,)),
    ("nn", "depthwise_conv"): ((-1,), (-2, -1)),
    ("nn", "separable_conv"): ((-1,), (-2, -1), (-1,)),
}


@contextmanager
def rounding(ranges: Ranges, *, observe: bool) -> Iterator[list[Any]]:
    """While this holds, every product and convolution of Keras rounds its inputs as U8S8 with per-channel weights does.

    Gradients pass the rounding as if it were not there, except where values are cut off. Layers come to these
    functions by `keras.ops`, so none needs another version of itself; what a layer of yours computes with TensorFlow's
    own operators is not rounded, and neither is what stands inside a loop or a branch: the quantizer of ONNX Runtime
    does not go there either.

    Args:
        ranges: Of activations.
        observe: Only look at activations and change nothing.

    Yields:
        While observing, [least, largest] of what each product took in, in the order of calls; tensors of the graph
        that is traced here, since there are no numbers yet to fill `ranges` with.
    """
    from keras.src import backend

    rounded = _Rounding(ranges, observe)
    kept = [(getattr(backend, module), name, axes) for (module, name), axes in _FUNCTIONS.items()]
    functions = [getattr(module, name) for module, name, _ in kept]
    try:
        for (module, name, axes), function in zip(kept, functions, strict=True):
            setattr(module, name, rounded.around(function, axes))
        yield rounded.seen
    finally:
        for (module, name, _), function in zip(kept, functions, strict=True):
            setattr(module, name, function)


class _Rounding:
    """Counts products; each place is one operator of the graph, as long as the model branches on nothing."""

    def __init__(self, ranges: Ranges, observe: bool) -> None:
        self.seen: list[Any] = []
        self._ranges, self._observe = ranges, observe
        self._graph = _graph()
        self._place = 0
        self._is_within = False

    def around(self, function: Callable[..., Any], axes: tuple[tuple[int, ...], ...]) -> Callable[..., Any]:
        def called(*args: Any, **kwargs: Any) -> Any:
            if self._is_within or _graph() is not self._graph:
                return function(*args, **kwargs)
            self._is_within = True  # some of these functions call another
            try:
                given = [self._rounded(value, axis) for value, axis in zip(args, axes, strict=False)]
                return function(*given, *args[len(given) :], **kwargs)
            finally:
                self._is_within = False

        return called

    def _rounded(self, value: Any, axes: tuple[int, ...]) -> Any:
        import keras
        import tensorflow as tf

        tensor = tf.convert_to_tensor(value)
        if not tensor.dtype.is_floating:
            return value
        if isinstance(value, keras.Variable):
            return tensor if self._observe else _weight(tensor, axes)
        place, self._place = self._place, self._place + 1
        if self._observe:
            self.seen.append(tf.stack([tf.reduce_min(tensor), tf.reduce_max(tensor)]))
            return tensor
        scale, zero = self._ranges.step(place)
        return _in_steps(tensor, scale, -zero * scale, (255 - zero) * scale)


def _graph() -> Any:
    import tensorflow as tf

    return tf.compat.v1.get_default_graph()


def _weight(value: Any, axes: tuple[int, ...]) -> Any:
    import tensorflow as tf

    channels = {axis % value.shape.rank for axis in axes}
    others = [number for number in range(value.shape.rank) if number not in channels]
    largest = tf.stop_gradient(tf.maximum(tf.reduce_max(tf.abs(value), axis=others, keepdims=True), 1e-12 * 127))
    return _in_steps(value, largest / 127, -largest, largest)


def _in_steps(value: Any, scale: Any, low: Any, high: Any) -> Any:
    import tensorflow as tf

    cut = tf.clip_by_value(value, low, high)
    return cut + tf.stop_gradient(tf.round(cut / scale) * scale - cut)
