"""One loaded model."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
        external_data: Content of the files, by name, that a model given as bytes refers to for its weights; while it
            loads they lie in a temporary folder. Of a model given as a path they are read from its folder.

    Raises:
        BundleError: ONNX Runtime refuses the model, the graph does not have the declared inputs and outputs, or the
            temporary folder has no room.
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
        try:
            named = [(name, _OPTIONS.get(name, {})) for name in providers]
            with _source(model, external_data) as source:
                self._session = ort.InferenceSession(source, options, providers=named)
        except BundleError:
            raise
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


@contextmanager
def _source(model: Path | bytes, external_data: Mapping[str, bytes]) -> Iterator[bytes | str]:
    """What ONNX Runtime is told to load.

    Weights in files it maps, and needs no further copy of. Handed over in memory it copies them twice, and refuses a
    single one of 2 GB. The folder is this process' own, so that nobody changes what was checked.
    """
    if not isinstance(model, bytes):
        yield str(model)
    elif not external_data:
        yield model
    else:
        # What is mapped outlives its name, but not everywhere: Windows keeps the file until the process ends.
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            try:
                for name, content in {**external_data, "model.onnx": model}.items():
                    (Path(folder) / name).write_bytes(content)
            except OSError as error:
                raise BundleError(
                    f"the model's weights do not go into the temporary folder {folder}: {error.strerror}",
                    fix="Free space there, or set TMPDIR to a folder that has some.",
                ) from error
            yield str(Path(folder) / "model.onnx")
