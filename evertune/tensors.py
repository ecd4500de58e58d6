"""What a model takes and gives: named tensors with dtype and shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from evertune.errors import InputError

Array = npt.NDArray[Any]
Tensors = dict[str, Array]
"""Named arrays whose first axis is the batch; all have the same number of rows."""


@dataclass(frozen=True)
class TensorSpec:
    """One input or output.

    Args:
        name: As in the ONNX graph and in requests.
        dtype: A numpy dtype name: "uint8", "float32", "int64".
        shape: Without the batch axis; None stands for any length.
        missing: NaN stands for a value that is not known, and the model has an answer all the same.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...]
    missing: bool = False

    def check(self, value: Array) -> None:
        """Refuses an array of another dtype or shape, or with values that are not finite, but for NaN where allowed.

        Args:
            value: Batched array, shape (rows, *shape).

        Raises:
            InputError: Names the tensor, what it is and what it should be.
        """
        if value.dtype != np.dtype(self.dtype):
            raise self._error(f"has dtype {value.dtype}, expected {self.dtype}", f"Send {self.dtype} values.")
        expected = (None, *self.shape)
        fits = value.ndim == len(expected) and all(
            want is None or want == got for want, got in zip(expected, value.shape, strict=True)
        )
        if not fits:
            wanted = ["rows", *("any" if size is None else size for size in self.shape)]
            raise self._error(f"has shape {list(value.shape)}, expected {wanted}", "Send whole rows of that shape.")
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            if not self.missing:
                raise self._error("holds NaN or infinity", "Send finite numbers only.")
            if np.isinf(value).any():
                raise self._error("holds infinity", "Send finite numbers, and NaN for what is not known.")

    def _error(self, problem: str, fix: str) -> InputError:
        return InputError(f"tensor {self.name!r} {problem}", fix=fix, name=self.name)

    def to_json(self) -> dict[str, Any]:
        """The spec as in a bundle's manifest."""
        told: dict[str, Any] = {"name": self.name, "dtype": self.dtype, "shape": list(self.shape)}
        return told | ({"missing": True} if self.missing else {})

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> TensorSpec:
        """Inverse of `to_json`."""
        return cls(
            str(data["name"]), np.dtype(data["dtype"]).name, tuple(data["shape"]), data.get("missing", False) is True
        )


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs of a model, in the order of the graph."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def check_inputs(self, inputs: Tensors) -> int:
        """Checks names, dtypes, shapes and finiteness of a batch.

        Returns:
            The number of rows.

        Raises:
            InputError: A tensor is missing, unknown, malformed, or tensors differ in their number of rows.
        """
        wanted = {spec.name for spec in self.inputs}
        if set(inputs) != wanted:
            missing, unknown = sorted(wanted - set(inputs)), sorted(set(inputs) - wanted)
            raise InputError(
                f"inputs do not match the model: missing {missing}, unknown {unknown}",
                fix=f"Send exactly {sorted(wanted)}.",
                missing=missing,
                unknown=unknown,
            )
        for spec in self.inputs:
            spec.check(inputs[spec.name])
        rows = {name: len(value) for name, value in inputs.items()}
        if len(set(rows.values())) != 1 or 0 in rows.values():
            raise InputError(f"inputs have {rows} rows", fix="Send at least one row, the same number in every input.")
        return next(iter(rows.values()))

    def to_json(self) -> dict[str, Any]:
        """The signature as in a bundle's manifest."""
        return {
            "inputs": [spec.to_json() for spec in self.inputs],
            "outputs": [spec.to_json() for spec in self.outputs],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Signature:
        """Inverse of `to_json`."""
        return cls(
            tuple(TensorSpec.from_json(spec) for spec in data["inputs"]),
            tuple(TensorSpec.from_json(spec) for spec in data["outputs"]),
        )
