"""Keras models on TensorFlow, fine-tuned for INT8."""

from __future__ import annotations

from typing import Any

from evertune.tensors import Tensors
from export.converters.keras_tensorflow import TensorflowForward
from export.quantization.fake_tensorflow import rounding
from export.quantization.ranges import Ranges
from export.quantization.student import FLOOR, LEARNING_RATE


class TensorflowStudent:
    """See `Student`. Each of its functions is traced once: four hundred steps of eager TensorFlow take minutes."""

    def __init__(self, forward: TensorflowForward) -> None:
        import tensorflow as tf

        self._forward = forward
        self._ranges = Ranges()
        self._variables = list(forward.model.trainable_variables)
        self._optimizer: Any = None
        self._plain = tf.function(forward.outputs, autograph=False)
        self._observed = tf.function(self._seen, autograph=False)
        self._stepped = tf.function(self._step, autograph=False)

    def weights(self) -> Any:
        """See `Student.weights`."""
        return [each.numpy() for each in self._variables]

    def restore(self, weights: Any) -> None:
        """See `Student.restore`."""
        for variable, kept in zip(self._variables, weights, strict=True):
            variable.assign(kept)

    def answer(self, batch: Tensors) -> Any:
        """See `Student.answer`."""
        return self._plain(*self._tensors(batch))

    def observe(self, batch: Tensors) -> None:
        """See `Student.observe`."""
        for place, pair in enumerate(self._observed(*self._tensors(batch))):
            self._ranges.widen(place, pair.numpy())

    def step(self, batch: Tensors, wanted: Any, share: float) -> None:
        """See `Student.step`."""
        import keras

        if self._optimizer is None:
            self._optimizer = keras.optimizers.Adam()
            self._optimizer.build(self._variables)
        self._optimizer.learning_rate = LEARNING_RATE * share
        self._stepped(self._tensors(batch), wanted)

    def _seen(self, *tensors: Any) -> list[Any]:
        with rounding(self._ranges, observe=True) as seen:
            self._forward.outputs(*tensors)
        return seen

    def _step(self, tensors: list[Any], wanted: tuple[Any, ...]) -> None:
        import tensorflow as tf

        names = [spec.name for spec in self._forward.signature.outputs]
        with tf.GradientTape() as tape:
            with rounding(self._ranges, observe=False):
                found = self._forward.outputs(*tensors)
            pairs = zip(names, found, wanted, strict=True)
            loss = tf.add_n([_distance(*each) for each in pairs if each[1].dtype.is_floating])
        gradients = tape.gradient(loss, [variable.value for variable in self._variables])
        both = zip(gradients, self._variables, strict=True)
        self._optimizer.apply_gradients([each for each in both if each[0] is not None])

    def _tensors(self, batch: Tensors) -> list[Any]:
        import tensorflow as tf

        return [tf.convert_to_tensor(batch[spec.name]) for spec in self._forward.signature.inputs]


def _distance(name: str, found: Any, wanted: Any) -> Any:
    import tensorflow as tf

    if name != "probabilities":
        return tf.reduce_mean((found - wanted) ** 2) / tf.maximum(tf.math.reduce_variance(wanted), FLOOR)
    found = tf.clip_by_value(found, FLOOR, 1 - FLOOR)
    entropy = wanted * tf.math.log(found) + (1 - wanted) * tf.math.log(1 - found)
    return -tf.reduce_mean(tf.reduce_sum(entropy, axis=-1))
