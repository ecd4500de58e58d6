"""Checking a folder against its manifest before anything in it is used."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
from pathlib import Path
from typing import BinaryIO

from evertune.bundle.canonical import MOST_BYTES, damaged
from evertune.bundle.manifest import FILE_NAME, FileEntry, Manifest
from evertune.errors import BundleError

DIGEST = re.compile(r"[0-9a-f]{64}")
_BLOCK_BYTES = 1 << 22


def read_content(folder: Path, expected_digest: str | None) -> tuple[Manifest, dict[str, bytes]]:
    """Reads a content folder whole: names, kinds, sizes and hashes of all files are checked.

    Args:
        folder: Holds `manifest.json`.
        expected_digest: What the manifest must hash to; None where nobody knows yet.

    Returns:
        The manifest and the checked bytes of every file it lists, except external data, which is only hashed: it may be
        larger than memory.

    Raises:
        BundleError: Names the first file that is missing, unknown, a link, or changed.
    """
    if not folder.is_dir() or folder.is_symlink():
        raise BundleError(f"no bundle content in {folder}", fix="Give a folder that holds manifest.json.")
    head = read_plain(folder, FILE_NAME, MOST_BYTES)
    digest = hashlib.sha256(head).hexdigest()
    if expected_digest is not None and digest != expected_digest:
        raise damaged(FILE_NAME, f"hashes to {digest[:12]}, expected {expected_digest[:12]}")
    manifest = Manifest.from_bytes(head)
    unknown = sorted(set(os.listdir(folder)) - set(manifest.files) - {FILE_NAME})
    if unknown:
        raise damaged(unknown[0], "is not listed in manifest.json")
    external = set(manifest.external_data)
    for name in manifest.external_data:
        hash_checked(folder, name, manifest.files[name])
    rest = {name: entry for name, entry in manifest.files.items() if name not in external}
    return manifest, {name: read_checked(folder, name, entry) for name, entry in rest.items()}


def read_checked(folder: Path, name: str, entry: FileEntry) -> bytes:
    """Reads one file and holds it against its entry.

    Raises:
        BundleError: Missing, a link, of another size, or with another hash.
    """
    content = read_plain(folder, name, most_bytes=entry.size_bytes)
    if FileEntry.of(content) != entry:
        raise _other(name, len(content), entry)
    return content


def hash_checked(folder: Path, name: str, entry: FileEntry) -> None:
    """Holds one file against its entry without keeping it in memory.

    Raises:
        BundleError: As `read_checked`.
    """
    found = entry_of(folder, name, most_bytes=entry.size_bytes)
    if found != entry:
        raise _other(name, found.size_bytes, entry)


def entry_of(folder: Path, name: str, most_bytes: int = 1 << 40) -> FileEntry:
    """Hash and size of a plain file, of which at most one byte over `most_bytes` is read."""
    hashed, size_bytes = hashlib.sha256(), 0
    with open_plain(folder, name) as file:
        while block := file.read(min(_BLOCK_BYTES, most_bytes + 1 - size_bytes)):
            hashed.update(block)
            size_bytes += len(block)
    return FileEntry(hashed.hexdigest(), size_bytes)


def copy_plain(folder: Path, name: str, target: Path) -> None:
    """Copies a plain file, never through a link, and syncs the copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with open_plain(folder, name) as source, open(target, "xb") as copy:
        shutil.copyfileobj(source, copy, _BLOCK_BYTES)
        copy.flush()
        os.fsync(copy.fileno())


def _other(name: str, size_bytes: int, entry: FileEntry) -> BundleError:
    return damaged(name, f"has {size_bytes} bytes or a hash other than the sealed one ({entry.size_bytes} bytes)")


def read_plain(folder: Path, name: str, most_bytes: int) -> bytes:
    """Reads a regular file, never through a link, and never more than one byte over `most_bytes`."""
    with open_plain(folder, name) as file:
        return file.read(min(os.fstat(file.fileno()).st_size, most_bytes) + 1)


def open_plain(folder: Path, name: str) -> BinaryIO:
    """Opens a regular file, never through a link.

    Raises:
        BundleError: It is missing, a link, a folder, a pipe or a device.
    """
    try:
        descriptor = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe must not hang us
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        reason = error.strerror if isinstance(error, OSError) else error
        raise damaged(name, f"cannot be read ({reason}; links are refused)") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise damaged(name, "is not a plain file")
    return os.fdopen(descriptor, "rb")
