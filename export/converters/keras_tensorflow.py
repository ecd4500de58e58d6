"""Keras 3 models on the TensorFlow backend, by tf2onnx.

Keras' `Model.export(format="onnx")` is not used: constants that a layer captures (the mean of a `Normalization`) become
inputs that nobody feeds, and operators that tf2onnx does not know (`Erfc` of gelu) stay in the file, without an
exception.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from evertune.errors import ExportError
from evertune.tensors import Signature, Tensors
from export.converters.answers import answers, not_a_tensor
from export.converters.backend import is_keras_on
from export.converters.blame import explain, fixed_rows, unknown_operator
from export.converters.failed import RouteError
from export.converters.forward import example_rows
from export.converters.host_side import refuse_host_side
from export.converters.precision import full_precision
from export.converters.source import Predict, Source
from export.converters.tensorflow_graph import graph_key
from export.converters.tensorflow_operators import spell_out
from export.graph import MOST_BYTES, MOST_WEIGHTS_BYTES, finish_files
from export.verify import check_width

OPSET = 18  # tf2onnx refuses 20
_PROBLEM = "does not export to ONNX"


class KerasTensorflowConverter:
    """See `Converter`. A conversion takes a fraction of a second: no graph is kept."""

    name = "Keras 3 model (TensorFlow backend)"

    def accepts(self, model: Any) -> bool:
        """Whether `model` is a `keras.Model`, and Keras runs on TensorFlow."""
        return is_keras_on("tensorflow", model)

    def forward(self, model: Any, signature: Signature, kind: str) -> Predict:
        """See `Converter.forward`."""
        return TensorflowForward(model, signature)

    def architecture(self, model: Any, signature: Signature, kind: str) -> str | None:
        """See `Converter.architecture`: of TensorFlow's own graph, in which variables are inputs."""
        forward = TensorflowForward(model, signature)
        try:
            refuse_host_side(model)
            forward.check()
            return graph_key(forward.traced()[0].graph)
        except Exception:  # whatever a user's layer raises; the export that follows explains it
            return None

    def convert(
        self,
        model: Any,
        signature: Signature,
        *,
        kind: str = "classification",
        reuse: bool = True,
        most_bytes: int = MOST_WEIGHTS_BYTES,
    ) -> Source:
        """See `Converter.convert`."""
        refuse_host_side(model)
        forward = TensorflowForward(model, signature)
        forward.check()
        refuse_large(model)
        try:
            proto = forward.to_onnx()
        except ExportError:
            raise
        except Exception as error:  # whatever TensorFlow and tf2onnx raise
            raise RouteError.of(explain(error, forward.on_example, _PROBLEM)) from error
        spell_out(proto.graph)
        _refuse_unknown(proto, model)
        files = finish_files(proto, signature, most_bytes=most_bytes)
        return Source(files.model_bytes, forward, external_data=files.external_data)


class TensorflowForward:
    """The model as a function of named arrays."""

    def __init__(self, model: Any, signature: Signature) -> None:
        self.model = model
        self.signature = signature

    def __call__(self, inputs: Tensors) -> Tensors:
        """Named arrays in, the declared outputs out."""
        import tensorflow as tf

        values = [tf.convert_to_tensor(inputs[spec.name]) for spec in self.signature.inputs]
        found = self.outputs(*values)
        return {spec.name: value.numpy() for spec, value in zip(self.signature.outputs, found, strict=True)}

    def outputs(self, *tensors: Any) -> tuple[Any, ...]:
        """The declared outputs in order."""
        return answers(self.call(*tensors), self.signature)

    def call(self, *tensors: Any) -> Any:
        """One tensor as it is, several by name."""
        names = [spec.name for spec in self.signature.inputs]
        given = tensors[0] if len(tensors) == 1 else dict(zip(names, tensors, strict=True))
        with full_precision(self.model):
            return self.model(given, training=False)

    def on_example(self, rows: int = 2) -> Any:
        """What the model returns for some rows of zeros."""
        import tensorflow as tf

        return self.call(*(tf.convert_to_tensor(value) for value in example_rows(self.signature, rows).values()))

    def check(self) -> None:
        """Calls the model once, which also creates the weights of a model that was never called."""
        import tensorflow as tf

        try:
            result = self.on_example()
        except Exception as error:  # whatever a user's layer raises
            raise explain(error, self.on_example, "does not run on the inputs that Task.inputs declares") from error
        found = answers(result, self.signature)
        for each in found:
            if not isinstance(each, tf.Tensor):
                raise not_a_tensor(each)
        check_width(tuple(found[0].shape), self.signature)
        try:
            self.on_example(3)
        except Exception as error:
            raise fixed_rows(error, _PROBLEM) from error

    def traced(self) -> tuple[Any, Any, Any]:
        """The concrete function, the `tf.function` that it is of, and the latter's inputs."""
        import tensorflow as tf

        specs = [
            tf.TensorSpec((None, *spec.shape), spec.dtype, name=f"input_{number}")
            for number, spec in enumerate(self.signature.inputs)
        ]
        function = tf.function(self.outputs, input_signature=specs)
        with tf.device("/CPU:0"):  # on a GPU, recurrent layers become CudnnRNNV3, which ONNX does not have
            return function.get_concrete_function(), function, specs

    def to_onnx(self) -> Any:
        """An `onnx.ModelProto` with the declared inputs only."""
        import tensorflow as tf
        import tf2onnx

        with _quiet(), _inlined(), tf.device("/CPU:0"):
            traced, function, specs = self.traced()
            proto, _ = tf2onnx.convert.from_function(function, input_signature=specs, opset=OPSET)
        _fix_captured(proto.graph, traced)
        return proto


def refuse_large(model: Any, most_bytes: int = MOST_BYTES) -> None:
    """tf2onnx has TensorFlow put the weights into its own graph, which is one message too; torch does not.

    Args:
        model: Built.
        most_bytes: Of weights.

    Raises:
        RouteError: It has more.
    """
    import tensorflow as tf

    size = sum(math.prod(each.shape) * tf.as_dtype(each.dtype).size for each in model.variables)
    if size > most_bytes:
        raise RouteError(
            f"the model {_PROBLEM}: it has {size:,} bytes of weights, TensorFlow's graph holds {most_bytes:,}",
            fix="Install torch, which exports it in TensorFlow's place, and leave [export] routes as it is.",
            size_bytes=size,
        )


def _fix_captured(graph: Any, traced: Any) -> None:
    """Constants that a layer captured became inputs that nobody feeds: their values are put in."""
    import tensorflow as tf
    from onnx import numpy_helper

    values = {inner.name: outer for outer, inner in traced.graph.captures if outer.dtype != tf.resource}
    kept = [item for item in graph.input if item.name not in values]
    for item in graph.input:
        if item.name in values:
            graph.initializer.append(numpy_helper.from_array(values[item.name].numpy(), item.name))
    del graph.input[:]
    graph.input.extend(kept)


def _refuse_unknown(proto: Any, model: Any) -> None:
    """What tf2onnx does not know it leaves in the file under TensorFlow's name."""
    import onnx

    for node in proto.graph.node:
        if not onnx.defs.has(node.op_type, node.domain):
            raise RouteError.of(unknown_operator(node.op_type, _layer_of(node.name, model), _PROBLEM))


def _layer_of(node_name: str, model: Any) -> str | None:
    """The innermost layer in the path of a node's name, to whose parts TensorFlow may add a number."""
    names = [layer.name for layer in model._flatten_layers(include_self=False)]
    for part in reversed(node_name.split("/")):
        for name in (part, re.sub(r"_\d+$", "", part)):
            if name in names:
                return str(name)
    return None


@contextmanager
def _inlined() -> Iterator[None]:
    """Functions that Keras compiles by themselves (convolutions in groups) become a call that tf2onnx does not know."""
    import tensorflow as tf

    function = tf.function

    def traced(*args: Any, jit_compile: bool | None = None, **options: Any) -> Any:
        if jit_compile:
            return lambda each: each
        return function(*args, **options)

    tf.function = traced
    try:
        yield
    finally:
        tf.function = function


@contextmanager
def _quiet() -> Iterator[None]:
    """tf2onnx logs what it does not know as an error and goes on; `_refuse_unknown` says it better."""
    loggers = [logging.getLogger(name) for name in ("tf2onnx", "tf2onnx.tfonnx", "tf2onnx.tf_loader")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
