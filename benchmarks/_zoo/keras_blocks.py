"""Keras architectures, as small as their kind allows."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks._zoo.entry import VOCABULARY


def _layers() -> Any:
    import keras

    return keras.layers


def _ended(inputs: Any, hidden: Any, units: int = 3, activation: str | None = "softmax") -> Any:
    import keras

    return keras.Model(inputs, keras.layers.Dense(units, activation=activation)(hidden))


def _image() -> tuple[Any, Any]:
    import keras

    inputs = keras.Input((16, 16), dtype="uint8", name="image")
    return inputs, keras.layers.Reshape((16, 16, 1))(keras.layers.Rescaling(1 / 255)(inputs))


def _input(*shape: int | None, name: str = "x", dtype: str = "float32") -> Any:
    import keras

    return keras.Input(shape, dtype=dtype, name=name)


def mlp() -> Any:
    layers = _layers()
    inputs, hidden = _image()
    hidden = layers.Dropout(0.3)(layers.Dense(32, activation="relu")(layers.Flatten()(hidden)))
    return _ended(inputs, layers.Dense(16, activation="relu")(hidden))


def cnn() -> Any:
    layers = _layers()
    inputs, hidden = _image()
    for filters in (8, 16):
        hidden = layers.Conv2D(filters, 3, padding="same", use_bias=False)(hidden)
        hidden = layers.MaxPooling2D()(layers.ReLU()(layers.BatchNormalization()(hidden)))
    return _ended(inputs, layers.Flatten()(hidden))


def residual() -> Any:
    layers = _layers()
    inputs, hidden = _image()
    hidden = layers.Conv2D(8, 3, padding="same")(hidden)
    for stride in (1, 2):
        kept = layers.Conv2D(8, 1, strides=stride)(hidden)
        inner = layers.Activation("relu")(layers.BatchNormalization()(hidden))
        inner = layers.Conv2D(8, 3, strides=stride, padding="same")(inner)
        hidden = layers.Add()([kept, inner])
    return _ended(inputs, layers.GlobalAveragePooling2D()(hidden))


def depthwise() -> Any:
    layers = _layers()
    inputs, hidden = _image()
    hidden = layers.Conv2D(8, 3, strides=2, padding="same")(hidden)
    hidden = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(hidden)
    hidden = layers.Activation("hard_swish")(hidden)
    return _ended(inputs, layers.GlobalMaxPooling2D()(layers.SeparableConv2D(12, 3, padding="same")(hidden)))


def squeeze_excite() -> Any:
    layers = _layers()
    inputs, hidden = _image()
    hidden = layers.Conv2D(8, 3, activation="silu")(hidden)
    gate = layers.Dense(4, activation="silu")(layers.GlobalAveragePooling2D(keepdims=True)(hidden))
    hidden = layers.Multiply()([hidden, layers.Dense(8, activation="sigmoid")(gate)])
    return _ended(inputs, layers.Flatten()(layers.AveragePooling2D(3)(hidden)))


def u_net() -> Any:
    layers = _layers()
    inputs, hidden = _image()
    first = layers.Conv2D(4, 3, padding="same", activation="relu")(hidden)
    low = layers.Conv2D(8, 3, padding="same", activation="relu")(layers.MaxPooling2D()(first))
    lowest = layers.Conv2D(8, 3, padding="same", activation="relu")(layers.MaxPooling2D()(low))
    up = layers.Conv2DTranspose(8, 3, strides=2, padding="same")(lowest)
    up = layers.UpSampling2D(interpolation="bilinear")(layers.Concatenate()([up, low]))
    up = layers.Conv2D(3, 1)(layers.Concatenate()([up, first]))
    return _ended(inputs, layers.GlobalAveragePooling2D()(up))


def resize_and_augment() -> Any:
    layers = _layers()
    inputs, hidden = _image()
    hidden = layers.RandomFlip("horizontal")(layers.ZeroPadding2D(2)(hidden))
    hidden = layers.Cropping2D(1)(layers.Resizing(20, 20)(hidden))
    return _ended(inputs, layers.Flatten()(layers.CenterCrop(12, 12)(hidden)))


def gru() -> Any:
    layers = _layers()
    inputs = _input(10, 5)
    return _ended(inputs, layers.GRU(6)(layers.GRU(8, return_sequences=True)(inputs)))


def lstm() -> Any:
    layers = _layers()
    inputs = _input(10, 5)
    return _ended(inputs, layers.LSTM(6)(layers.LSTM(8, return_sequences=True)(inputs)))


def bidirectional() -> Any:
    layers = _layers()
    inputs = _input(10, 5)
    hidden = layers.Bidirectional(layers.LSTM(6, return_sequences=True))(inputs)
    return _ended(inputs, layers.Bidirectional(layers.GRU(5), merge_mode="sum")(hidden))


def simple_rnn() -> Any:
    layers = _layers()
    inputs = _input(10, 5)
    return _ended(inputs, layers.SimpleRNN(6, go_backwards=True)(inputs))


def temporal_convolution() -> Any:
    layers = _layers()
    inputs = _input(10, 5)
    hidden = layers.Conv1D(6, 3, padding="causal", dilation_rate=2, activation="elu")(inputs)
    return _ended(inputs, layers.GlobalMaxPooling1D()(layers.SeparableConv1D(6, 3)(hidden)))


def conv_lstm() -> Any:
    layers = _layers()
    inputs = _input(4, 6, 6, 1)
    return _ended(inputs, layers.Flatten()(layers.ConvLSTM2D(3, 3, padding="same")(inputs)))


def attention() -> Any:
    layers = _layers()
    inputs = _input(10, 5)
    hidden = layers.MultiHeadAttention(2, 4)(inputs, inputs)
    hidden = layers.Add()([hidden, layers.Attention(use_scale=True)([inputs, inputs])])
    hidden = layers.Add()([hidden, layers.AdditiveAttention()([inputs, hidden])])
    return _ended(inputs, layers.GlobalAveragePooling1D()(hidden))


def transformer_encoder() -> Any:
    import keras

    layers = _layers()
    inputs = _input(12, name="ids", dtype="int64")
    places = layers.Embedding(12, 8)(keras.ops.arange(12))
    hidden = layers.Embedding(VOCABULARY, 8)(inputs) + places
    for _ in range(2):
        inner = layers.LayerNormalization()(hidden)
        hidden = hidden + layers.MultiHeadAttention(2, 4)(inner, inner, use_causal_mask=True)
        inner = layers.Dense(16, activation="gelu")(layers.LayerNormalization()(hidden))
        hidden = hidden + layers.Dense(8)(inner)
    return _ended(inputs, layers.GlobalAveragePooling1D()(hidden))


def embedding() -> Any:
    layers = _layers()
    inputs = _input(12, name="ids", dtype="int64")
    return _ended(inputs, layers.GlobalAveragePooling1D()(layers.Embedding(VOCABULARY, 8, mask_zero=True)(inputs)))


def embedding_any_length() -> Any:
    layers = _layers()
    inputs = _input(None, name="ids", dtype="int64")
    hidden = layers.Conv1D(8, 3, padding="same")(layers.Embedding(VOCABULARY, 8)(inputs))
    return _ended(inputs, layers.GlobalMaxPooling1D()(hidden))


def masked_lstm() -> Any:
    layers = _layers()
    inputs = _input(12, name="ids", dtype="int64")
    return _ended(inputs, layers.LSTM(6)(layers.Embedding(VOCABULARY, 8, mask_zero=True)(inputs)))


def masked_bidirectional() -> Any:
    layers = _layers()
    inputs = _input(12, name="ids", dtype="int64")
    hidden = layers.Embedding(VOCABULARY, 8, mask_zero=True)(inputs)
    return _ended(inputs, layers.Bidirectional(layers.GRU(5))(hidden))


def lstm_any_length() -> Any:
    layers = _layers()
    inputs = _input(None, name="ids", dtype="int64")
    return _ended(inputs, layers.LSTM(6)(layers.Embedding(VOCABULARY, 8)(inputs)))


def normalization() -> Any:
    layers = _layers()
    inputs = _input(6)
    adapted = layers.Normalization()
    adapted.adapt(np.random.default_rng(5).normal(3, 2, (200, 6)).astype("float32"))
    return _ended(inputs, layers.Dense(8, activation="relu")(adapted(inputs)))


def gelu() -> Any:
    layers = _layers()
    inputs = _input(6)
    return _ended(inputs, layers.Dense(8, activation="gelu")(inputs))


def layer_norm() -> Any:
    layers = _layers()
    inputs = _input(6)
    return _ended(inputs, layers.LayerNormalization()(layers.Dense(8, activation="tanh")(inputs)))


def group_norm() -> Any:
    layers = _layers()
    inputs, hidden = _image()
    hidden = layers.GroupNormalization(4)(layers.Conv2D(8, 3)(hidden))
    return _ended(inputs, layers.GlobalAveragePooling2D()(layers.Activation("relu")(hidden)))


def discretization() -> Any:
    layers = _layers()
    inputs = _input(6)
    bins = layers.Discretization(bin_boundaries=[-1.0, 0.0, 1.0])(inputs)
    return _ended(inputs, layers.Flatten()(layers.Embedding(4, 3)(bins)))


def category_encoding() -> Any:
    layers = _layers()
    inputs = _input(12, name="ids", dtype="int64")
    return _ended(inputs, layers.CategoryEncoding(VOCABULARY, output_mode="multi_hot")(inputs))


def integer_lookup() -> Any:
    layers = _layers()
    inputs = _input(12, name="ids", dtype="int64")
    found = layers.IntegerLookup(vocabulary=list(range(3, 30)))(inputs)
    return _ended(inputs, layers.Flatten()(layers.Embedding(32, 3)(found)))


def hashing() -> Any:
    layers = _layers()
    inputs = _input(12, name="ids", dtype="int64")
    return _ended(inputs, layers.Flatten()(layers.Embedding(8, 3)(layers.Hashing(8)(inputs))))


def two_tower() -> Any:
    import keras

    layers = _layers()
    user, item = (_input(name=name, dtype="int64") for name in ("user", "item"))
    numbers = _input(6)
    left = layers.Concatenate()([layers.Embedding(VOCABULARY, 8)(user), layers.Dense(4)(numbers)])
    left = layers.UnitNormalization()(layers.Dense(8)(left))
    right = layers.UnitNormalization()(layers.Embedding(VOCABULARY, 8)(item))
    score = layers.Dot(axes=1)([left, right])
    scores = layers.Dense(3)(layers.Concatenate()([score, layers.Subtract()([left, right])]))
    return keras.Model([user, item, numbers], scores)


def multi_output() -> Any:
    import keras

    layers = _layers()
    inputs = _input(6)
    hidden = layers.Dense(8, activation="relu")(inputs)
    answer = layers.Dense(3, activation="softmax", name="answer")(hidden)
    return keras.Model(inputs, [answer, layers.Dense(4, activation="tanh", name="side")(hidden)])


def mixed_float16() -> Any:
    import keras

    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        layers = _layers()
        inputs, hidden = _image()
        hidden = layers.Conv2D(8, 3, activation="relu")(hidden)
        hidden = layers.LayerNormalization()(layers.Dense(16, activation="relu")(layers.Flatten()(hidden)))
        return keras.Model(inputs, layers.Dense(3, activation="softmax", dtype="float32")(hidden))
    finally:
        keras.config.set_dtype_policy(policy)


def custom_layer() -> Any:
    import keras

    class Swirl(keras.layers.Layer):  # type: ignore[misc]  # Keras ships no types
        """Turns pairs of numbers by an angle that it learns."""

        def build(self, shape: Any) -> None:
            self.angle = self.add_weight(shape=(shape[-1] // 2,), name="angle")

        def call(self, x: Any) -> Any:
            first, second = keras.ops.split(x, 2, axis=-1)
            sine, cosine = keras.ops.sin(self.angle), keras.ops.cos(self.angle)
            turned = [first * cosine - second * sine, first * sine + second * cosine]
            return keras.ops.concatenate(turned, axis=-1)

    inputs = _input(6)
    return _ended(inputs, Swirl()(_layers().Dense(8)(inputs)))


def subclassed() -> Any:
    import keras

    class Small(keras.Model):  # type: ignore[misc]
        """Layers in Python, no graph of Keras."""

        def __init__(self) -> None:
            super().__init__()
            self.first = keras.layers.Dense(8, activation="leaky_relu")
            self.last = keras.layers.Dense(3, activation="softmax")

        def call(self, x: Any) -> Any:
            return self.last(self.first(x) + keras.ops.mean(x, axis=-1, keepdims=True))

    model = Small()
    model(np.zeros((2, 6), "float32"))
    return model


def mixture_of_experts() -> Any:
    import keras

    layers = _layers()
    inputs = _input(6)
    gate = layers.Dense(4, activation="softmax")(inputs)
    experts = keras.ops.stack([layers.Dense(5, activation="relu")(inputs) for _ in range(4)], axis=1)
    return _ended(inputs, keras.ops.einsum("bk,bkd->bd", gate, experts))


def sigmoid_labels() -> Any:
    inputs = _input(6)
    return _ended(inputs, _layers().Dense(8, activation="selu")(inputs), 3, "sigmoid")


def regression() -> Any:
    inputs = _input(6)
    return _ended(inputs, _layers().Dense(8, activation="softplus")(inputs), 1, None)


def time_distributed() -> Any:
    layers = _layers()
    inputs = _input(10, 5)
    hidden = layers.TimeDistributed(layers.Dense(4, activation="relu"))(inputs)
    return _ended(inputs, layers.Flatten()(layers.Permute((2, 1))(hidden)))


def activations() -> Any:
    layers = _layers()
    inputs = _input(6)
    names = ("mish", "softsign", "exponential", "celu", "hard_sigmoid", "relu6", "log_softmax", "tanh_shrink")
    hidden = [layers.Activation(name)(layers.Dense(3)(inputs)) for name in names]
    hidden.append(layers.PReLU()(layers.Dense(3)(inputs)))
    return _ended(inputs, layers.Concatenate()(hidden))


def pooling() -> Any:
    layers = _layers()
    inputs, hidden = _image()
    hidden = layers.SpectralNormalization(layers.Conv2D(6, 3, dilation_rate=2))(hidden)
    pooled = [layers.MaxPooling2D(3, 2, "same")(hidden), layers.AveragePooling2D(3, 2, "same")(hidden)]
    return _ended(inputs, layers.Flatten()(layers.Maximum()(pooled)))
