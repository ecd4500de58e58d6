"""Inputs and outputs that prove a load: the same model, on this machine, gives the same answers."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np

from evertune.bundle.canonical import damaged, finite
from evertune.errors import BundleError, InputError
from evertune.packing import pack, unpack
from evertune.tensors import Array, Signature, Tensors, TensorSpec

FILE_NAME = "golden.json"
_MOST_TOLERANCE_RATIO = 0.5  # of the largest output


@dataclass(frozen=True, eq=False)
class Golden:
    """A few real rows with the outputs that the exporter saw.

    Attributes:
        inputs: Named arrays, first axis rows.
        outputs: Named arrays, same rows.
        absolute_tolerance: Largest difference allowed between machines and execution providers.
    """

    inputs: Tensors
    outputs: Tensors
    absolute_tolerance: float

    def fit(self, signature: Signature) -> None:
        """Refuses rows that a model of this signature could not have answered, or that any answer would pass.

        Raises:
            BundleError: Names and shapes are not the signature's, or the tolerance is half of the largest output.
        """
        for specs, tensors in ((signature.inputs, self.inputs), (signature.outputs, self.outputs)):
            if {spec.name for spec in specs} != set(tensors):
                raise damaged(FILE_NAME, f"has the tensors {list(tensors)}, not those of the signature")
            for spec in specs:
                _fit(spec, tensors[spec.name])
        rows = {len(value) for value in (*self.inputs.values(), *self.outputs.values())}
        if len(rows) != 1 or rows == {0}:
            raise damaged(FILE_NAME, f"has tensors of {sorted(rows)} rows")
        largest = max(float(np.abs(value.astype(np.float64)).max(initial=0.0)) for value in self.outputs.values())
        if not self.absolute_tolerance <= _MOST_TOLERANCE_RATIO * max(1.0, largest):
            raise damaged(FILE_NAME, f"allows a difference of {self.absolute_tolerance:.3g}: it would prove nothing")

    def check(self, outputs: Tensors) -> None:
        """Compares what a freshly loaded model gave for `inputs`.

        Raises:
            BundleError: Names the output, the largest difference and the tolerance. NaN never passes.
        """
        if set(outputs) != set(self.outputs):
            raise self.refuse(f"outputs are {sorted(outputs)}, expected {sorted(self.outputs)}")
        for name, expected in self.outputs.items():
            found = outputs[name]
            if found.shape != expected.shape or found.dtype != expected.dtype:
                is_, should_be = (f"{array.dtype}{list(array.shape)}" for array in (found, expected))
                raise self.refuse(f"output {name!r} is {is_}, expected {should_be}")
            difference = float(np.abs(found.astype(np.float64) - expected.astype(np.float64)).max(initial=0.0))
            if not difference <= self.absolute_tolerance:
                raise self.refuse(f"output {name!r} is off by {difference:.3g}, allowed {self.absolute_tolerance:.3g}")

    def refuse(self, problem: str) -> BundleError:
        """The error for a model that does not answer these rows as it should."""
        return BundleError(
            f"golden rows of the bundle failed: {problem}",
            fix="Do not serve it here. Check ONNX Runtime's version and execution provider, or export it again.",
        )

    def to_json(self) -> dict[str, Any]:
        """The rows as in `golden.json`; tensors are packed, then base64."""
        return {
            "absolute_tolerance": self.absolute_tolerance,
            "inputs": base64.b64encode(pack(self.inputs)).decode(),
            "outputs": base64.b64encode(pack(self.outputs)).decode(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Golden:
        """Inverse of `to_json`.

        Raises:
            BundleError: The tensors or the tolerance are malformed.
        """
        try:
            if set(data) != {"absolute_tolerance", "inputs", "outputs"}:
                raise ValueError(f"fields are {sorted(data)}")
            inputs, outputs = (unpack(base64.b64decode(data[key], validate=True)) for key in ("inputs", "outputs"))
            tolerance = finite(data["absolute_tolerance"])
            if not (inputs and outputs and 0 <= tolerance < float("inf")):
                raise ValueError(f"no rows, or tolerance {tolerance}")
        except (KeyError, TypeError, ValueError, OverflowError, InputError) as error:
            raise damaged(FILE_NAME, f"holds no golden rows: {error}") from error
        return cls(inputs, outputs, tolerance)


def _fit(spec: TensorSpec, value: Array) -> None:
    shape = value.shape[1:]
    fits = len(shape) == len(spec.shape) and all(
        size in (None, got) for size, got in zip(spec.shape, shape, strict=True)
    )
    if value.ndim == 0 or value.dtype.name != spec.dtype or not fits:
        found = f"{value.dtype}{list(value.shape)}"
        raise damaged(FILE_NAME, f"has {spec.name[:80]!r} as {found[:80]}, not as the signature says")
