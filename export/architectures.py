"""What is known of architectures, on disk: what serving them takes, and their graphs without weights."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evertune.files import write_atomic
from export.hardware import hardware, versions

_MOST_BYTES = 10_000_000  # of a graph: more are constants, which are read no faster than they are traced


@dataclass(frozen=True)
class Architectures:
    """A folder that processes share. It is a cache: what is missing or damaged is made again.

    Attributes:
        folder: Need not exist.
    """

    folder: Path

    def get(self, key: str) -> dict[str, Any] | None:
        """What was put under that key on this processor with these libraries."""
        with suppress(OSError, ValueError):
            found = json.loads(self._path(key, ".json").read_bytes())
            return found if isinstance(found, dict) else None
        return None

    def put(self, key: str, facts: Mapping[str, Any]) -> None:
        """Keeps `facts`, which must be JSON."""
        write_atomic(self._path(key, ".json"), json.dumps(facts).encode())

    def graph(self, key: str) -> bytes | None:
        """Content that `put_graph` kept."""
        with suppress(OSError):
            return self._path(key, ".onnx").read_bytes()
        return None

    def put_graph(self, key: str, content: bytes, facts: Mapping[str, Any]) -> None:
        """Keeps a graph and what `get` says of it; large ones are left out."""
        if len(content) <= _MOST_BYTES:
            write_atomic(self._path(key, ".onnx"), content)
            self.put(key, facts)  # last: what stands for the whole

    def _path(self, key: str, suffix: str) -> Path:
        return self.folder / (hashlib.sha256((_here() + key).encode()).hexdigest() + suffix)


_CURRENT: ContextVar[Architectures | None] = ContextVar("architectures", default=None)


@contextmanager
def architectures_in(folder: Path) -> Iterator[None]:
    """Within it, exports of untrained models and graphs are looked up in `folder` first, and kept there."""
    token = _CURRENT.set(Architectures(folder))
    try:
        yield
    finally:
        _CURRENT.reset(token)


def known_architectures() -> Architectures | None:
    """Of the `architectures_in` around; None outside."""
    return _CURRENT.get()


@functools.cache
def _here() -> str:
    """A folder may move to another machine, and libraries may be updated."""
    return json.dumps([hardware(), versions()])
