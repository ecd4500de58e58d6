"""Mutations by somebody, or something, that does not compute new hashes."""

from __future__ import annotations

import gzip
import io
import json
import os
import socket
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from benchmarks._bundle_faults.victim import Mutant
from evertune.bundle import FileEntry
from evertune.bundle.canonical import to_canonical
from evertune.bundle.measurements import FOLDER as MEASUREMENTS

Mutation = Callable[[Mutant, np.random.Generator], None]


def _files(mutant: Mutant) -> list[Path]:
    """Without measurements: a bundle without one, or with other ones, is sound."""
    found = (path for path in mutant.folder.rglob("*") if path.is_file() and path.parent.name != MEASUREMENTS)
    return sorted(found)


def _one(mutant: Mutant, rng: np.random.Generator) -> Path:
    files = _files(mutant)
    return files[int(rng.integers(len(files)))]


def _flip_bits(mutant: Mutant, rng: np.random.Generator) -> None:
    path = _one(mutant, rng)
    content = bytearray(path.read_bytes())
    for bit in rng.choice(8 * len(content), int(rng.integers(1, 4)), replace=False).tolist():
        content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)


def _overwrite(mutant: Mutant, rng: np.random.Generator) -> None:
    path = _one(mutant, rng)
    content = bytearray(path.read_bytes())
    start = int(rng.integers(len(content)))
    length = int(rng.integers(1, 64))
    noise = bytes((each + int(rng.integers(1, 256))) % 256 for each in content[start : start + length])
    content[start : start + length] = noise
    path.write_bytes(content)


def _truncate(mutant: Mutant, rng: np.random.Generator) -> None:
    path = _one(mutant, rng)
    content = path.read_bytes()
    path.write_bytes(content[: int(rng.integers(len(content)))])


def _extend(mutant: Mutant, rng: np.random.Generator) -> None:
    path = _one(mutant, rng)
    content = path.read_bytes()
    at = int(rng.integers(len(content) + 1))
    path.write_bytes(content[:at] + rng.bytes(int(rng.integers(1, 500))) + content[at:])


def _swap(mutant: Mutant, rng: np.random.Generator) -> None:
    """Two files of the bundle change places."""
    one = _one(mutant, rng)
    other = next(path for path in iter(lambda: _one(mutant, rng), None) if path.read_bytes() != one.read_bytes())
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def _exchange(mutant: Mutant, rng: np.random.Generator) -> None:
    """A file of another sound bundle, signed by the same key, takes the place of this one's."""
    path = _one(mutant, rng)
    other = mutant.victim.other / path.relative_to(mutant.folder)
    if path.read_bytes() == other.read_bytes():
        path, other = mutant.folder / "signatures.json", mutant.victim.other / "signatures.json"
    path.write_bytes(other.read_bytes())


def _delete(mutant: Mutant, rng: np.random.Generator) -> None:
    _one(mutant, rng).unlink()


def _rename(mutant: Mutant, rng: np.random.Generator) -> None:
    path = _one(mutant, rng)
    names = (path.name.upper(), f"{path.name}.bak", f"../{path.name}", f"{path.name} ", f"{path.name[:-1]}\u0578")
    path.rename(path.parent / names[int(rng.integers(len(names)))])


def _add(mutant: Mutant, rng: np.random.Generator) -> None:
    """A file that nobody listed."""
    names = (b"run.sh", b".hidden", b"lib.so", b"model.pkl", b"a\\b", b"\xff\xfe", "ⅿodel.onnx".encode(), b"x" * 200)
    folders = (mutant.content, mutant.folder / "training")
    folder = folders[int(rng.integers(len(folders)))]
    (Path(os.fsdecode(os.fsencode(folder) + b"/" + names[int(rng.integers(len(names)))]))).write_bytes(rng.bytes(20))


def _link(mutant: Mutant, rng: np.random.Generator) -> None:
    """The right bytes by the wrong way, or the way to somewhere else."""
    path = _one(mutant, rng)
    places = (path, path, mutant.content, mutant.folder / "training")
    path = places[int(rng.integers(len(places)))]
    moved = mutant.store / "moved"
    path.rename(moved)
    targets = (moved, moved, Path("/etc/passwd"), Path("/dev/zero"), path)
    path.symlink_to(targets[int(rng.integers(len(targets)))])


def _special(mutant: Mutant, rng: np.random.Generator) -> None:
    """A pipe, a socket or a folder in the place of a file."""
    path = _one(mutant, rng)
    path.unlink()
    kind = int(rng.integers(3))
    if kind == 0:
        os.mkfifo(path)
    elif kind == 1:
        path.mkdir()
    else:
        short = mutant.store / "s"
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(short))
        short.rename(path)


def _archive(mutant: Mutant, rng: np.random.Generator) -> None:
    """An archive in the place of a file, with members that leave the folder, or that are far larger than it."""
    path = _one(mutant, rng)
    content, made = path.read_bytes(), io.BytesIO()
    kind, member = int(rng.integers(4)), ("../../evil", "/etc/cron.d/x", path.name)[int(rng.integers(3))]
    if kind == 0:
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(member, content if rng.integers(2) else bytes(1_000_000))
    elif kind == 1:
        with tarfile.open(fileobj=made, mode="w:gz") as archive:
            entry = tarfile.TarInfo(member)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    elif kind == 2:
        made.write(gzip.compress(content))
    else:
        with tarfile.open(fileobj=made, mode="w") as archive:
            entry = tarfile.TarInfo(path.name)
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(entry)
    path.write_bytes(made.getvalue())


def _other_address(mutant: Mutant, rng: np.random.Generator) -> None:
    """A sound bundle under the address of another one."""
    digest = bytearray(bytes.fromhex(mutant.folder.name))
    digest[int(rng.integers(32))] ^= 1 << int(rng.integers(8))
    names = (digest.hex(), mutant.victim.other.name)
    mutant.folder = mutant.folder.rename(mutant.store / names[int(rng.integers(2))])


def _forge_signature(mutant: Mutant, rng: np.random.Generator) -> None:
    path = mutant.folder / "signatures.json"
    key, signature = next(iter(json.loads(path.read_bytes())["signatures"].items()))
    noise = rng.bytes(64).hex()
    forged: tuple[dict[str, Any], ...] = (
        {key: noise},
        {rng.bytes(32).hex(): signature},
        {rng.bytes(32).hex(): noise for _ in range(int(rng.integers(1, 100)))},
        {key: signature[: int(rng.integers(128))]},
        {key: None},
        {key: [signature]},
        {},
    )
    path.write_bytes(to_canonical({"signatures": forged[int(rng.integers(len(forged)))]}))


def _alter_attestation(mutant: Mutant, rng: np.random.Generator) -> None:
    """Attestation or training file, with its new hash: only the signature knows."""
    name = ("attestation.json", "training/weights.npz", "training/more.bin")[int(rng.integers(3))]
    content = to_canonical({"evaluation": float(rng.random())})
    (mutant.folder / name).write_bytes(content)
    entries = json.loads((mutant.folder / "extras.json").read_bytes())
    (mutant.folder / "extras.json").write_bytes(to_canonical({**entries, name: vars(FileEntry.of(content))}))


def _far(mutation: Mutation) -> Mutation:
    """The same in an object store, read through fsspec."""

    def mutate(mutant: Mutant, rng: np.random.Generator) -> None:
        mutant.remote = True
        mutation(mutant, rng)

    return mutate


def _extras_paths(mutant: Mutant, rng: np.random.Generator) -> None:
    """`extras.json` lists files elsewhere; an object store may hold any name."""
    names = (
        *("../evil", "/etc/cron.d/x", "training/../../evil", "training", "training//x", "content/x", "training/a\0b"),
        *("training/" + "é" * 200, "training" + "/é" * 19 + "/" + "é" * 200, "training" + ("/" + "x" * 200) * 19),
    )
    name = names[int(rng.integers(len(names)))]
    path = mutant.folder / "extras.json"
    entries = json.loads(path.read_bytes())
    path.write_bytes(to_canonical({**entries, name: vars(FileEntry.of(rng.bytes(4)))}))
    mutant.remote, mutant.trusts = bool(rng.integers(2)), False


DAMAGE: Mapping[str, Mutation] = MappingProxyType(
    {
        "bit flips": _flip_bits,
        "bytes overwritten": _overwrite,
        "truncations": _truncate,
        "bytes inserted": _extend,
        "files swapped": _swap,
        "files of another bundle": _exchange,
        "files deleted": _delete,
        "files renamed": _rename,
        "files added": _add,
        "links": _link,
        "pipes, sockets, folders": _special,
        "archives": _archive,
        "another address": _other_address,
        "signatures forged": _forge_signature,
        "attestations altered": _alter_attestation,
        "paths in extras.json": _extras_paths,
        "bit flips in an object store": _far(_flip_bits),
        "truncations in an object store": _far(_truncate),
        "files swapped in an object store": _far(_swap),
        "archives in an object store": _far(_archive),
        "pipes in an object store": _far(_special),
    }
)
