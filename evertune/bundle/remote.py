"""Bundles in an object store (S3, GCS, ...) reached through fsspec."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evertune.bundle.audit import DIGEST, read_content
from evertune.bundle.folder import FolderStore
from evertune.bundle.manifest import FILE_NAME
from evertune.bundle.measurements import FILE_NAME_OF_RECORD, FOLDER
from evertune.errors import BundleError

_MARK = f"content/{FILE_NAME}"  # written last: a bundle without it does not exist


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

    def write(self, digest: str, files: Mapping[str, bytes]) -> None:
        """Uploads file after file, the manifest last; a bundle that is there already is left alone."""
        system, root = self._system()
        if system.exists(f"{root}/{digest}/{_MARK}"):
            return
        for name in sorted(files, key=lambda name: name == _MARK):
            path = f"{root}/{digest}/{name}"
            system.makedirs(path.rsplit("/", 1)[0], exist_ok=True)  # file systems need it, object stores ignore it
            system.pipe_file(path, files[name])

    def fetch(self, digest: str) -> Path | None:
        """Downloads a bundle into the cache where it is not there yet, or is damaged there; None if unknown."""
        cached = self._cache.fetch(digest)
        if cached is not None and _sound(cached):
            return cached
        system, root = self._system()
        folder = f"{root}/{digest}"
        if not system.exists(f"{folder}/{_MARK}"):
            return None
        files = {path[len(folder) + 1 :]: system.cat_file(path) for path in self._find(folder)}
        for name in files:
            if name.startswith("/") or ".." in name.split("/"):
                raise BundleError(f"bundle file {name} leaves its folder", fix="Do not use this store.", file=name)
        self._cache.write(digest, files)
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
        for path in self._find(folder) if system.exists(folder) else []:
            name = path.rsplit("/", 1)[-1]
            if FILE_NAME_OF_RECORD.fullmatch(name) and not (self._cache.root / digest / FOLDER / name).exists():
                self._cache.append(digest, f"{FOLDER}/{name}", system.cat_file(path))

    def digests(self) -> Iterator[str]:
        """Of all bundles that are complete."""
        system, root = self._system()
        if system.exists(root):
            for path in system.ls(root, detail=False):
                name = path.rstrip("/").rsplit("/", 1)[-1]
                if DIGEST.fullmatch(name) and system.exists(f"{root}/{name}/{_MARK}"):
                    yield name

    def _find(self, folder: str) -> list[str]:
        system, _ = self._system()
        return [str(path) for path in system.find(folder)]

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


def _sound(folder: Path) -> bool:
    try:
        read_content(folder / "content", folder.name)
    except BundleError:
        return False
    return True
