"""scikit-learn estimators and pipelines, by skl2onnx."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from evertune.errors import ExportError
from evertune.tensors import Array, Signature, Tensors
from export.converters.sklearn_graph import OPSET, with_boundary
from export.converters.sklearn_rows import answer, class_places, is_regressor, matrix, width
from export.converters.source import Predict, Source
from export.graph import MOST_WEIGHTS_BYTES, finish_files
from export.verify import check_width

_OPSETS = {"": OPSET, "ai.onnx.ml": 3}


class SklearnConverter:
    """See `Converter`. A fitted estimator's graph is what it learned: none is kept."""

    name = "scikit-learn estimator or pipeline"

    def accepts(self, model: Any) -> bool:
        """Whether `model` is a `sklearn.base.BaseEstimator`."""
        return any(
            base.__name__ == "BaseEstimator" and base.__module__ == "sklearn.base" for base in type(model).__mro__
        )

    def forward(self, model: Any, signature: Signature, kind: str) -> Predict:
        """See `Converter.forward`."""
        spec = signature.outputs[0]
        columns = int(spec.shape[0] or 0)

        def predict(inputs: Tensors) -> Tensors:
            return {spec.name: answer(model, matrix(inputs, signature.inputs), columns)}

        return predict

    def architecture(self, model: Any, signature: Signature, kind: str) -> str | None:
        """See `Converter.architecture`; a tree has none before it is fitted."""
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
        spec, *others = signature.outputs
        if others:
            raise ExportError(
                f"a {type(model).__name__} gives one output, the task declares {len(others)} more",
                fix="Leave Task.extra_outputs empty.",
            )
        columns = int(spec.shape[0] or 0)
        _require_fitted(model)
        _require_probabilities(model)
        _require_inputs(model, width(signature.inputs))
        places, labels = _places(model, columns, width(signature.inputs))
        if labels > columns:
            check_width((1, labels), signature)
        proto = _convert(model, width(signature.inputs))
        output = proto.graph.output[0 if is_regressor(model) else 1]
        bounded = with_boundary(proto, output.name, places, signature)
        files = finish_files(bounded, signature, most_bytes=most_bytes)
        return Source(files.model_bytes, self.forward(model, signature, kind), external_data=files.external_data)


def _places(model: Any, outputs: int, columns: int) -> tuple[Array | None, int]:
    """Where each column that the estimator gives belongs, and how many the task needs for that."""
    if is_regressor(model):
        return np.arange(outputs), outputs
    example = model.predict_proba(np.zeros((1, columns), np.float32))
    if isinstance(example, list):
        return None, len(example)
    places = class_places(model, example.shape[1])
    return places, int(places.max()) + 1


def _convert(model: Any, columns: int) -> Any:
    import skl2onnx
    from skl2onnx.common.data_types import FloatTensorType

    from export.converters.sklearn_fixes import register

    register()
    options = None if is_regressor(model) else {"zipmap": False}
    try:
        with _known_noise():
            return skl2onnx.to_onnx(
                model, initial_types=[("X", FloatTensorType([None, columns]))], options=options, target_opset=_OPSETS
            )
    except Exception as error:  # skl2onnx raises a dozen unrelated types
        raise _explain(error, model) from error


def _require_fitted(model: Any) -> None:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(model)
    except NotFittedError as error:
        raise ExportError(
            f"the {type(model).__name__} is not fitted, so there is nothing to export", fix="Fit it first."
        ) from error


def _require_probabilities(model: Any) -> None:
    if not is_regressor(model) and not hasattr(model, "predict_proba"):
        name = type(model.steps[-1][1] if hasattr(model, "steps") else model).__name__
        raise ExportError(
            f"the {name} gives no probabilities",
            fix=f"Wrap it: CalibratedClassifierCV({name}(...)), or set the option that makes it give predict_proba.",
            layer=name,
        )


def _require_inputs(model: Any, columns: int) -> None:
    """Steps for texts, and estimators that were fitted on other columns."""
    try:
        (model.predict if is_regressor(model) else model.predict_proba)(np.zeros((1, columns), np.float32))
    except Exception as error:  # whatever a step raises
        where, layer = _where(model, _innermost(error, "self"))
        raise ExportError(
            f"the model does not run on {columns} columns of float32, as Task.inputs declares: {where}: {_line(error)}",
            fix="Declare what it was fitted on. Texts and ids are looked up, or hashed, before the model, in "
            "Task.preprocessor: docs/inputs.md.",
            layer=layer,
        ) from error


def _explain(error: Exception, model: Any) -> ExportError:
    where, layer = _where(model, getattr(_innermost(error, "operator"), "raw_operator", None))
    return ExportError(
        f"the model does not export to ONNX: {where}: {_line(error)}",
        fix=f"Replace {where.partition(' ')[0]}, or set its parameters so that skl2onnx knows it.",
        layer=layer,
    )


def _where(model: Any, culprit: Any) -> tuple[str, str]:
    """For people, and the name of the step or class."""
    name = type(model if culprit is None else culprit).__name__
    step = next((key for key, value in getattr(model, "steps", ()) if value is culprit), None)
    return (f"{name} (step {step!r})", str(step)) if step else (name, name)


def _innermost(error: BaseException, variable: str) -> Any:
    """The estimator, or skl2onnx's operator of one, that was at work: the last one in the traceback."""
    found, trace = None, error.__traceback__
    while trace is not None:
        value = trace.tb_frame.f_locals.get(variable)
        found = value if hasattr(value, "raw_operator" if variable == "operator" else "get_params") else found
        trace = trace.tb_next
    return found


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


@contextmanager
def _known_noise() -> Iterator[None]:
    """skl2onnx reads attributes that scikit-learn 1.9 deprecates."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Attribute `prob[AB]_` was deprecated", FutureWarning)
        yield
