"""Files as bytes, for workers that share no folder with the driver."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

from evertune.files import write_atomic

_LARGEST_BYTES = 1_000_000  # of a file of the project: code and vocabularies, not data, which come another way
_LEFT_OUT = ("__pycache__", "runs")  # and whatever is hidden, as `.evertune` and `.venv` are


class TrialFiles:
    """The files of one trial at one end: what the other end does not have yet.

    Args:
        folder: Of the trial; need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, tuple[int, int]] = {}

    def put(self, files: Mapping[str, bytes]) -> None:
        """Writes files that came from the other end, each whole or not at all."""
        for name, content in files.items():
            write_atomic(self._folder / Path(name).name, content)  # a name is no path
        self.changed()

    def changed(self) -> dict[str, bytes]:
        """Files that were written since the last call or `put`."""
        found: dict[str, bytes] = {}
        for path in sorted(self._folder.glob("[!.]*")) if self._folder.exists() else ():
            status = path.stat()
            mark = (status.st_mtime_ns, status.st_ino)
            if self._known.get(path.name) != mark:
                self._known[path.name] = mark
                found[path.name] = path.read_bytes()
        return found


def pack(root: Path, left_out: Path) -> bytes:
    """The small files of a project's folder as a zip archive.

    Args:
        root: Folder of the project.
        left_out: Of the study; neither it nor its neighbours come along.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder, names, files in os.walk(root):
            here = Path(folder)
            names[:] = sorted(name for name in names if _comes_along(name) and here / name != left_out.parent)
            for name in sorted(files):
                path = here / name
                if _comes_along(name) and path.is_file() and path.stat().st_size <= _LARGEST_BYTES:
                    archive.write(path, path.relative_to(root))
    return buffer.getvalue()


def unpack(archive: bytes, folder: Path) -> None:
    """Inverse of `pack`."""
    with zipfile.ZipFile(io.BytesIO(archive)) as packed:
        packed.extractall(folder)


def _comes_along(name: str) -> bool:
    return not name.startswith(".") and name not in _LEFT_OUT
