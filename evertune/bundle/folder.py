"""Bundles in a local folder."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from evertune.bundle import measurements
from evertune.bundle.audit import DIGEST, copy_plain, read_content
from evertune.errors import BundleError
from evertune.files import sync_folder, write_atomic

_STALE_SECONDS = 24 * 3600  # no put lasts a day: what is older was left by a killed process

Files = Mapping[str, bytes | Path]
"""By relative path: content, or a file that is copied since it may be larger than memory."""


class FolderStore:
    """One folder a bundle; written in a hidden folder beside it, synced, then renamed."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, digest: str, files: Files, *, replace: bool = False) -> None:
        """Adds a bundle, whole or not at all; one that is there and sound is left alone, a damaged one replaced.

        Args:
            digest: Of the bundle.
            files: All of it.
            replace: Replace a sound one, too. What was measured of one that is replaced stays.

        Raises:
            BundleError: A file was changed while it was copied, or two names cannot be in one folder.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        self._sweep()
        scratch = Path(tempfile.mkdtemp(dir=self.root, prefix=".put-"))
        try:
            _write_all(scratch, files)
            if any(isinstance(content, Path) for content in files.values()):
                read_content(scratch / "content", digest)
            self._move(scratch, self.root / digest, replace)
            sync_folder(self.root)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)  # gone already where it was moved

    def write_beside(self, digest: str, name: str, content: bytes) -> None:
        """Writes or replaces one file beside the content."""
        write_atomic(self.root / digest / name, content)

    def fetch(self, digest: str, *, again: bool = False) -> Path | None:
        """The bundle's folder, None if unknown."""
        folder = self.root / digest
        return folder if folder.is_dir() else None

    def append(self, digest: str, name: str, content: bytes) -> None:
        """Adds a file beside the content of a bundle that is there; the same file twice is one."""
        path = self.root / digest / name
        path.parent.mkdir(exist_ok=True)
        write_atomic(path, content)
        path.chmod(0o644)  # as with the bundle: servers and people of other accounts read it

    def refresh(self, digest: str) -> None:
        """Nothing: what others append lies here at once."""

    def digests(self) -> Iterator[str]:
        """Of all bundles."""
        if self.root.is_dir():
            yield from (name for name in os.listdir(self.root) if DIGEST.fullmatch(name))

    def _move(self, scratch: Path, target: Path, replace: bool) -> None:
        scratch.chmod(0o755)  # mkdtemp made it private; servers may run as another user
        try:
            os.rename(scratch, target)  # fails if another put, or an earlier one, was first
        except OSError:
            if replace or not is_sound(target):
                former = Path(tempfile.mkdtemp(dir=self.root, prefix=".put-"))
                os.rename(target, former / "former")
                measurements.move(former / "former", scratch)  # no put knows them: other machines added them
                os.rename(scratch, target)
                shutil.rmtree(former, ignore_errors=True)

    def _sweep(self) -> None:
        for name in os.listdir(self.root):
            folder = self.root / name
            if name.startswith(".put-") and time.time() - folder.stat().st_mtime > _STALE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def is_sound(folder: Path) -> bool:
    """Whether the content of a stored bundle is whole and hashes to the name of its folder."""
    try:
        read_content(folder / "content", folder.name)
    except BundleError:
        return False
    return True


def _write_all(folder: Path, files: Files) -> None:
    """Writes and syncs files and their folders, which nobody sees yet."""
    for name, content in files.items():
        path = folder / name
        if isinstance(content, Path):
            copy_plain(content.parent, content.name, path)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    for parent in sorted({(folder / name).parent for name in files}, reverse=True):
        sync_folder(parent)
