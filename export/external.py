"""Weights beside the graph: protobuf writes no message of 2 GB or more."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnx import ModelProto

DATA = "model.onnx.data"
"""Name of the file with weights."""
_LEAST_BYTES = 1024  # smaller ones stay: shapes and axes among them, which ONNX Runtime wants to see in the graph
_ALIGNMENT_BYTES = 4096  # a page: as ONNX asks for, so that the file can be mapped


@dataclass(frozen=True)
class OnnxFiles:
    """A model as it lies on disk.

    Attributes:
        model_bytes: The graph, `model.onnx`.
        external_data: Content by name of the files that the graph refers to for weights; mostly none.
    """

    model_bytes: bytes = field(repr=False)
    external_data: Mapping[str, bytes] = field(repr=False, default_factory=dict)


def move_out(model: ModelProto, values: Mapping[str, Any]) -> bytes:
    """Takes every weight of 1 kB or more out of the main graph; the graph refers to its place in `DATA`.

    Args:
        model: Changed.
        values: `onnx_ir` tensors by name of initializer, of those whose data the model does not hold.

    Returns:
        The content of `DATA`: weights in the order of the graph, each at the start of a page.
    """
    content = io.BytesIO()
    for item in model.graph.initializer:
        if item.name not in values and len(item.raw_data) < _LEAST_BYTES:
            continue
        content.write(bytes(-content.tell() % _ALIGNMENT_BYTES))
        offset = content.tell()
        if item.name in values:
            values[item.name].tofile(content)
        else:
            content.write(item.raw_data)
        _refer(item, offset, content.tell() - offset)
    return content.getvalue()


def leave_out(graph: Any) -> dict[str, Any]:
    """Takes the data of large initializers out of an `onnx_ir.Graph`, so that it is never copied into a message.

    Returns:
        Their tensors by name, for `move_out`.
    """
    from onnxscript import ir

    tensors = {name: each.const_value for name, each in graph.initializers.items()}
    taken = {name: tensor for name, tensor in tensors.items() if _is_large(tensor)}
    for name, tensor in taken.items():
        graph.initializers[name].const_value = ir.ExternalTensor(
            DATA, None, tensor.nbytes, tensor.dtype, shape=tensor.shape, name=name
        )
    return taken


def is_external(model: ModelProto) -> bool:
    """Whether weights lie beside the graph."""
    from onnx import TensorProto

    return any(item.data_location == TensorProto.EXTERNAL for item in model.graph.initializer)


@contextmanager
def on_disk(model_bytes: bytes, external_bytes: Mapping[str, int]) -> Iterator[Path]:
    """The graph in a folder of its own, beside files of these sizes without content: to check, not to run."""
    with tempfile.TemporaryDirectory() as folder:
        for name, size in external_bytes.items():
            with (Path(folder) / name).open("wb") as file:
                file.truncate(size)
        path = Path(folder) / "model.onnx"
        path.write_bytes(model_bytes)
        yield path


def write_data(folder: Path, external_data: Mapping[str, bytes]) -> dict[str, Path]:
    """Writes the files with weights into a folder that exists; their paths by name."""
    for name, content in external_data.items():
        (folder / name).write_bytes(content)
    return {name: folder / name for name in external_data}


def read_data(folder: Path) -> dict[str, bytes]:
    """What `write_data` wrote; empty where that was nothing."""
    return {DATA: (folder / DATA).read_bytes()} if (folder / DATA).exists() else {}


def _is_large(tensor: Any) -> bool:
    from onnxscript import ir

    return tensor is not None and tensor.dtype != ir.DataType.STRING and tensor.nbytes >= _LEAST_BYTES


def _refer(item: Any, offset: int, length: int) -> None:
    from onnx import TensorProto

    item.ClearField("raw_data")
    item.ClearField("external_data")
    item.data_location = TensorProto.EXTERNAL
    for key, value in (("location", DATA), ("offset", offset), ("length", length)):
        item.external_data.add(key=key, value=str(value))
