"""Bundles in an object store (S3, GCS, ...) reached through fsspec."""

from __future__ import annotations

import hashlib
import importlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evertune.bundle import extras, trust
from evertune.bundle.audit import DIGEST
from evertune.bundle.canonical import MOST_BYTES, damaged
from evertune.bundle.folder import Files, FolderStore, is_sound
from evertune.bundle.manifest import FILE_NAME, FileEntry, Manifest
from evertune.bundle.measurements import FILE_NAME_OF_RECORD, FOLDER
from evertune.errors import BundleError

_MARK = f"content/{FILE_NAME}"  # written last: a bundle without it does not exist
_BLOCK_BYTES = 1 << 22


class RemoteStore:
    """Objects under `<url>/<digest>/`; downloads are kept in a local folder store.

    Args:
        url: fsspec URL.
        cache: Folder for downloads.
    """

    def __init__(self, url: str, cache: Path | None) -> None:
        self._url = url
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        self._cache = FolderStore((cache or home / "evertune" / "bundles").absolute())
        self._opened: tuple[Any, str] | None = None

    def write(self, digest: str, files: Files, *, replace: bool = False) -> None:
        """Uploads file after file, the manifest last; a bundle that is there already is left alone unless `replace`."""
        system, root = self._system()
        if not replace and system.exists(f"{root}/{digest}/{_MARK}"):
            return
        for name in sorted(files, key=lambda name: name == _MARK):
            path, content = f"{root}/{digest}/{name}", files[name]
            system.makedirs(path.rsplit("/", 1)[0], exist_ok=True)  # file systems need it, object stores ignore it
            if isinstance(content, Path):
                system.put_file(str(content), path)
            else:
                system.pipe_file(path, content)

    def write_beside(self, digest: str, name: str, content: bytes) -> None:
        """Writes or replaces one file beside the content, here and in the cache."""
        system, root = self._system()
        system.pipe_file(f"{root}/{digest}/{name}", content)
        if self._cache.fetch(digest) is not None:
            self._cache.write_beside(digest, name, content)

    def fetch(self, digest: str, *, again: bool = False) -> Path | None:
        """Downloads a bundle into the cache where it is not there yet, or is damaged there; None if unknown.

        Only what manifest and `extras.json` list is downloaded, and never more of it than they say.

        Args:
            digest: Of the bundle.
            again: Although it is in the cache: what lies beside the content may have changed.

        Raises:
            BundleError: A file is missing, is no plain object, or is not what was sealed, or the cache cannot hold it.
        """
        cached = self._cache.fetch(digest)
        if cached is not None and not again and is_sound(cached):
            return cached
        system, root = self._system()
        if not system.exists(f"{root}/{digest}/{_MARK}"):
            return None
        try:
            with tempfile.TemporaryDirectory() as folder:
                self._cache.write(digest, self._download(digest, Path(folder)), replace=True)
        except OSError as error:
            raise BundleError(
                f"bundle {digest[:12]} cannot be downloaded into {self._cache.root}: {error.strerror or error}",
                fix="Make room there, or set XDG_CACHE_HOME to a folder that can be written.",
                digest=digest,
            ) from error
        self.refresh(digest)
        return self._cache.fetch(digest)

    def append(self, digest: str, name: str, content: bytes) -> None:
        """Uploads a file beside the content; other machines see it once they `refresh` theirs."""
        system, root = self._system()
        path = f"{root}/{digest}/{name}"
        system.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        system.pipe_file(path, content)
        self._cache.append(digest, name, content)

    def refresh(self, digest: str) -> None:
        """Downloads the measurements that are not in the cache."""
        system, root = self._system()
        folder = f"{root}/{digest}/{FOLDER}"
        for path in map(str, system.find(folder)) if system.exists(folder) else []:
            name = path.rsplit("/", 1)[-1]
            if FILE_NAME_OF_RECORD.fullmatch(name) and not (self._cache.root / digest / FOLDER / name).exists():
                self._cache.append(digest, f"{FOLDER}/{name}", self._read(digest, f"{FOLDER}/{name}", MOST_BYTES))

    def digests(self) -> Iterator[str]:
        """Of all bundles that are complete."""
        system, root = self._system()
        if system.exists(root):
            for path in system.ls(root, detail=False):
                name = path.rstrip("/").rsplit("/", 1)[-1]
                if DIGEST.fullmatch(name) and system.exists(f"{root}/{name}/{_MARK}"):
                    yield name

    def _download(self, digest: str, folder: Path) -> Files:
        head = self._read(digest, _MARK, MOST_BYTES)
        found = hashlib.sha256(head).hexdigest()
        if found != digest:
            raise damaged(FILE_NAME, f"hashes to {found[:12]}, expected {digest[:12]}")
        manifest = Manifest.from_bytes(head)
        files: dict[str, bytes | Path] = {_MARK: head}
        for name, entry in manifest.files.items():
            remote = f"content/{name}"
            if name in manifest.external_data:
                self._copy(digest, remote, entry, folder / name)
                files[remote] = folder / name
            else:
                files[remote] = self._checked(digest, remote, entry)
        return files | self._beside(digest)

    def _beside(self, digest: str) -> dict[str, bytes]:
        system, root = self._system()
        if not system.exists(f"{root}/{digest}/{extras.FILE_NAME}"):
            return {}
        listed = self._read(digest, extras.FILE_NAME, MOST_BYTES)
        files = {extras.FILE_NAME: listed}
        for name, entry in extras.entries(listed).items():
            files[name] = self._checked(digest, name, entry)
        if system.exists(f"{root}/{digest}/{trust.FILE_NAME}"):
            files[trust.FILE_NAME] = self._read(digest, trust.FILE_NAME, trust.MOST_BYTES)
        return files

    def _checked(self, digest: str, name: str, entry: FileEntry) -> bytes:
        content = self._read(digest, name, entry.size_bytes)
        if FileEntry.of(content) != entry:
            raise damaged(name, f"in {self._url} is not what was sealed")
        return content

    def _read(self, digest: str, name: str, most_bytes: int) -> bytes:
        """Never more than one byte over `most_bytes`."""
        with self._open(digest, name) as file:
            content: bytes = file.read(most_bytes + 1)
        return content

    def _copy(self, digest: str, name: str, entry: FileEntry, target: Path) -> None:
        left = entry.size_bytes + 1
        with self._open(digest, name) as file, open(target, "wb") as copy:
            while left and (block := file.read(min(_BLOCK_BYTES, left))):
                left -= copy.write(block)

    def _open(self, digest: str, name: str) -> Any:
        system, root = self._system()
        path = f"{root}/{digest}/{name}"
        try:
            if system.info(path)["type"] != "file":  # a pipe in a file system would never end
                raise damaged(name, f"in {self._url} is no plain file")
            return system.open(path, "rb")
        except OSError as error:
            raise damaged(name, f"cannot be read from {self._url}: {error}") from error

    def _system(self) -> tuple[Any, str]:
        if self._opened is None:
            fsspec = importlib.import_module("fsspec")  # only here: a local store needs none of it; it has no types
            try:
                system, root = fsspec.url_to_fs(self._url, use_listings_cache=False)
            except (ImportError, ValueError) as error:
                raise BundleError(
                    f"bundle store {self._url} cannot be opened: {error}",
                    fix="Install that file system's package (s3fs, gcsfs, adlfs), or correct [store] bundle_url.",
                ) from error
            self._opened = (system, root.rstrip("/"))
        return self._opened
