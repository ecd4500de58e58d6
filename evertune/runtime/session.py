"""One loaded model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import onnxruntime as ort

from evertune.errors import BundleError
from evertune.tensors import Signature, Tensors

CPU = ("CPUExecutionProvider",)
# FP32 is to mean FP32: TF32, CUDA's default, keeps 10 bits of a number, and golden rows would fail.
_OPTIONS = {"CUDAExecutionProvider": {"use_tf32": "0"}}


class Session:
    """An ONNX model loaded in ONNX Runtime; safe to call from several threads.

    Args:
        model: Path of the file, or its bytes.
        signature: What the bundle declares; names and order of inputs and outputs are checked against the graph.
        threads: Intra-operator threads. Spinning is off, so that an idle model costs nothing.
        providers: ONNX Runtime execution providers, best first.
        external_data: Content of the files, by name, that a model given as bytes refers to for its weights. Of a model
            given as a path they are read from its folder.

    Raises:
        BundleError: ONNX Runtime refuses the model, or the graph does not have the declared inputs and outputs.
    """

    def __init__(
        self,
        model: Path | bytes,
        signature: Signature,
        *,
        threads: int = 1,
        providers: tuple[str, ...] = CPU,
        external_data: Mapping[str, bytes] = MappingProxyType({}),
    ) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors; warnings about the machine are not the user's
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if external_data:
            names, contents = list(external_data), list(external_data.values())
            options.add_external_initializers_from_files_in_memory(names, contents, [len(each) for each in contents])
        source = model if isinstance(model, bytes) else str(model)
        try:
            named = [(name, _OPTIONS.get(name, {})) for name in providers]
            self._session = ort.InferenceSession(source, options, providers=named)
        except Exception as error:  # ONNX Runtime's exceptions share no public base class
            raise BundleError(f"ONNX Runtime refuses the model: {error}", fix="Export it again.") from error
        self.signature = signature
        self.threads = threads
        self._output_names = [spec.name for spec in signature.outputs]
        self._check_names()

    def _check_names(self) -> None:
        graph = self._session
        found = ([node.name for node in graph.get_inputs()], [node.name for node in graph.get_outputs()])
        declared = ([spec.name for spec in self.signature.inputs], self._output_names)
        if found != declared:
            raise BundleError(
                f"the graph has inputs and outputs {found}, the manifest declares {declared}", fix="Export it again."
            )

    @property
    def provider(self) -> str:
        """The execution provider in use, not the one asked for: ONNX Runtime falls back silently."""
        return str(self._session.get_providers()[0])

    def run(self, inputs: Tensors) -> Tensors:
        """Runs a batch that `Signature.check_inputs` has passed.

        Returns:
            Named outputs, first axis rows.
        """
        return dict(zip(self._output_names, self._session.run(self._output_names, inputs), strict=True))
