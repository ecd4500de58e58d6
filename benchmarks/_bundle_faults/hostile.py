"""Mutations by somebody who computes every hash anew, and names the folder by the new digest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from benchmarks._bundle_faults.damage import Mutation
from benchmarks._bundle_faults.victim import DATA, Mutant, graph
from evertune.bundle import FileEntry
from evertune.bundle.canonical import to_canonical
from evertune.bundle.measurements import FOLDER as MEASUREMENTS

_PARTS = ("calibration.json", "reference.json", "golden.json", "preprocessing.json")
_PATHS = (
    *("../secret", "/etc/passwd", "a/b", "..", ".", ".hidden", "", "a\\b", "a\0b", "x" * 129, "manifest.json"),
    *("C:\\x", "~/x", "file:///etc/passwd", "*/_ORT_MEM_ADDR_/*", "golden.json", "model.onnx", "‮x", "a\nb"),
)


def _deep(levels: int = 500) -> Any:
    made: Any = 0
    for _ in range(levels):
        made = [made]
    return made


# Of the wrong type or far out of range wherever they stand.
_NEVER_A_TEXT: tuple[Any, ...] = (None, True, -1, 1e300, 10**400, [], {}, [[]], {"a": 1}, "")
_NEVER_A_NUMBER: tuple[Any, ...] = (None, True, "", "1", [], {}, "NaN", {"a": 1}, 10**400)
_NEVER_A_TABLE: tuple[Any, ...] = (None, True, 1, "x", [], [1], 10**400)
_NEVER_A_LIST: tuple[Any, ...] = (None, True, 1, "x", {}, {"a": 1}, 10**400)


_NEVER = ((str, _NEVER_A_TEXT), (dict, _NEVER_A_TABLE), (list, _NEVER_A_LIST))


def _leaves(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from _leaves(value, (*path, key))


def _break(data: Any, rng: np.random.Generator) -> None:
    """One value of a JSON tree becomes one that cannot stand there, is dropped, or gets a neighbour."""
    paths = [path for path in _leaves(data) if path[0] != "parameters"]
    path = paths[int(rng.integers(len(paths)))]
    parent = data
    for key in path[:-1]:
        parent = parent[key]
    old, change = parent[path[-1]], int(rng.integers(6))
    if change == 0 and isinstance(parent, dict):
        del parent[path[-1]]
    elif change == 1 and isinstance(parent, dict):
        parent[f"{path[-1]}{rng.integers(100)}"] = old
    elif change == 2:
        parent[path[-1]] = _deep()
    else:
        never = next((values for kind, values in _NEVER if isinstance(old, kind)), _NEVER_A_NUMBER)
        value = never[int(rng.integers(len(never)))]
        parent[path[-1]] = "\x01" if type(value) is type(old) and value == old else value


def _values(mutant: Mutant, rng: np.random.Generator) -> None:
    mutant.reseal(lambda manifest: _break(manifest, rng))


def _parts(mutant: Mutant, rng: np.random.Generator) -> None:
    path = mutant.content / _PARTS[int(rng.integers(len(_PARTS)))]
    data = json.loads(path.read_bytes())
    _break(data, rng)
    path.write_bytes(to_canonical(data))
    mutant.reseal()


def _paths(mutant: Mutant, rng: np.random.Generator) -> None:
    name, entry = _PATHS[int(rng.integers(len(_PATHS)))], vars(FileEntry.of(b"secret"))
    (mutant.store / "secret").write_bytes(b"secret")
    kinds: tuple[Callable[[dict[str, Any]], Any], ...] = (
        lambda manifest: manifest["files"].update({name if name not in manifest["files"] else "../x": entry}),
        lambda manifest: manifest.update(external_data=sorted({DATA, name if name != DATA else "../x"})),
        lambda manifest: manifest["preprocessing"].update(file=name),
        lambda manifest: manifest["files"].update({f"more-{rng.integers(999)}.bin": entry}),
    )
    mutant.reseal(kinds[int(rng.integers(len(kinds)))])


def _spellings(mutant: Mutant, rng: np.random.Generator) -> None:
    """The same manifest, or nearly, in other words: each is another digest for one meaning, or a trap for parsers."""
    head = (mutant.content / "manifest.json").read_bytes()
    data = json.loads(head)
    cut = int(rng.integers(1, len(head)))
    made = (
        json.dumps(data, indent=int(rng.integers(1, 9))).encode(),
        json.dumps(data, separators=(",", ":")).encode() if list(data) != sorted(data) else head + b"\n",
        head[:-1] + b',"recipe":"fp32"}',
        head.replace(b'"format_version":2', b'"format_version":2.0'),
        head.replace(b'"format_version":2', b'"format_version":2e0'),
        head.replace(b'"format_version":2', b'"format_version":NaN'),
        head.replace(b'"format_version":2', b'"format_version":Infinity'),
        head.replace(b'"format_version":2', b'"format_version":' + b"9" * int(rng.integers(2, 9000))),
        head.replace(b'"format_version":2', b'"format_version":' + str(rng.integers(3, 10**6)).encode()),
        head.replace(b"weather", b"\\u0077eather"),
        head.replace(b"weather", b"\\ud800"),
        head.replace(b"weather", b"\xff\xfe"),
        head.replace(b"weather", b"wea\x00ther"),
        b"\xef\xbb\xbf" + head,
        head[:cut],
        head[:cut] + rng.bytes(3) + head[cut:],
        b"[" * int(rng.integers(1, 200_000)),
        b'{"a":' * int(rng.integers(1, 100_000)) + b"1",
        b"[" + head + b"]",
        b" " * int(rng.integers(1, 9)) + head,
        b"",
        b"null",
        head + head,
    )
    raw = made[int(rng.integers(len(made)))]
    mutant.reseal(raw=raw if raw != head else head + b" ")


def _graphs(mutant: Mutant, rng: np.random.Generator) -> None:
    """A graph that no honest export has."""
    from onnx import TensorProto, helper

    big = int(rng.integers(1 << 31, 1 << 40))
    external = (
        {"location": _PATHS[int(rng.integers(len(_PATHS)))]},
        {"location": f"{'../' * int(rng.integers(1, 9))}etc/passwd"},
        {"offset": str(-int(rng.integers(1, 99)))},
        {"offset": str(big)},
        {"length": str(big)},
        {"length": str(int(rng.integers(0, 24)))},
        {"offset": "0x0"},
        {"checksum": "x", "url": "http://localhost"},
    )
    shapes: tuple[list[int], ...] = (
        [2, int(rng.integers(4, 99))],
        [-2, -3],
        [big, big],
        [2, 3, int(rng.integers(2, 9))],
        [big],
        [],
    )
    nodes = (
        helper.make_node("EPContext", [], ["z"], domain="com.microsoft", ep_cache_context="/etc/passwd", embed_mode=0),
        helper.make_node("PythonOp", ["x"], ["z"], domain="com.microsoft"),
        helper.make_node(f"Op{rng.integers(99)}", ["x"], ["z"], domain=f"domain{rng.integers(99)}"),
        helper.make_node("RandomNormal", [], ["z"], shape=[big, 2]),
        helper.make_node("ConstantOfShape", ["n"], ["z"]),
        helper.make_node("Tile", ["x", "n"], ["z"]),
        helper.make_node("Expand", ["x", "n"], ["z"]),
        helper.make_node("NoSuchOperator", ["x"], ["z"]),
        helper.make_node("Relu", ["nothing"], ["z"]),
        helper.make_node("Relu", ["x"], ["h"]),
        helper.make_node("Loop", ["n", ""], [], body=helper.make_graph([], "b", [], [])),
    )
    tensors = (
        TensorProto(name="t", data_type=1, dims=[int(rng.integers(1, 99))]),
        TensorProto(name="t", data_type=int(rng.integers(30, 999)), dims=[1], raw_data=b"abcd"),
        TensorProto(name="t", data_type=1, dims=[2], raw_data=rng.bytes(int(rng.integers(9, 99)))),
        TensorProto(name="t", data_type=7, dims=[big], int64_data=[1]),
        TensorProto(name="t", data_type=8, dims=[1], raw_data=b"abcd"),
        TensorProto(name="t", data_type=1, dims=[-1]),
    )
    size = helper.make_tensor("n", TensorProto.INT64, [2], [big, big])
    kind = int(rng.integers(6))
    if kind == 0:
        made = graph(external=external[int(rng.integers(len(external)))])
    elif kind == 1:
        made = graph(dims=shapes[int(rng.integers(len(shapes)))])
    elif kind == 2:
        made = graph(nodes=(nodes[int(rng.integers(len(nodes)))],), tensors=(size,))
    elif kind == 3:
        made = graph(tensors=(tensors[int(rng.integers(len(tensors)))],))
    elif kind == 4:
        made = _misread(big, rng)
    else:
        made = (rng.bytes(int(rng.integers(1, 999))), b"", graph()[: int(rng.integers(1, 40))])[int(rng.integers(3))]
    (mutant.content / "model.onnx").write_bytes(made)
    mutant.reseal()


def _misread(elements: int, rng: np.random.Generator) -> bytes:
    """A graph whose bytes say more to ONNX Runtime than to a reader that expects one order and short tags."""
    from onnx import NodeProto, helper

    if rng.integers(2):
        hidden = helper.make_node(f"Op{rng.integers(99)}", ["x"], ["z"], domain="evil").SerializeToString()
        return graph() + _field(7, _field(1, hidden), long=True)
    names = (
        {"value_int": elements},
        {"value_ints": [elements, 2]},
        {"value": helper.make_tensor("", 7, [1], [elements])},
    )
    constant = helper.make_node("Constant", [], ["n"], **names[int(rng.integers(3))])
    first = NodeProto(attribute=constant.attribute).SerializeToString()
    rest = NodeProto(output=["n"], op_type="Constant").SerializeToString()
    return graph(nodes=(helper.make_node("ConstantOfShape", ["n"], ["z"]),)) + _field(7, _field(1, first + rest))


def _field(number: int, content: bytes, *, long: bool = False) -> bytes:
    """A field of under 128 bytes, by hand; `long`: 2**32 is added to its tag, which ONNX Runtime does not see."""
    tag = number << 3 | 2
    return (bytes([tag | 128, 128, 128, 128, 16]) if long else bytes([tag])) + bytes([len(content)]) + content


def _measurements(mutant: Mutant, rng: np.random.Generator) -> None:
    """A record that is none, under the right name; or a sound one whose bytes changed."""
    folder = mutant.folder / MEASUREMENTS
    bad = _NEVER_A_NUMBER[int(rng.integers(len(_NEVER_A_NUMBER)))]
    target = _NEVER_A_LIST[int(rng.integers(2))]
    kind = int(rng.integers(5))
    records = (
        {"target": "cpu", "measured_at": bad},
        {"target": target},
        {"measured_at": 1.0},
        _deep(),
        {"target": "cpu"},
    )
    content = json.dumps(records[kind], sort_keys=True, separators=(",", ":")).encode() + b" " * (kind == 4)
    (folder / f"{FileEntry.of(content).sha256}.json").write_bytes(content)
    if rng.integers(2):
        (sound,) = (path for path in folder.iterdir() if b"study" in path.read_bytes())
        sound.write_bytes(sound.read_bytes()[: int(rng.integers(20))])
    mutant.remote = bool(rng.integers(2))


def _lies(mutant: Mutant, rng: np.random.Generator) -> None:
    """Weights that are not those with which the golden rows were made, or golden rows that prove nothing."""
    if rng.integers(2):
        weights = np.frombuffer((mutant.content / DATA).read_bytes(), np.float32).copy()
        weights[int(rng.integers(weights.size))] += (-1) ** int(rng.integers(2)) * float(rng.uniform(0.5, 9))
        (mutant.content / DATA).write_bytes(weights.tobytes())
    else:
        data = json.loads((mutant.content / "golden.json").read_bytes())
        data["absolute_tolerance"] = float(rng.uniform(0.6, 1e9))
        (mutant.content / "golden.json").write_bytes(to_canonical(data))
    mutant.reseal()


def flip_resealed_graph(mutant: Mutant, rng: np.random.Generator) -> None:
    """Bits of the graph flip and are sealed anew: a bundle of its own, sound or not, that must not crash the reader."""
    path = mutant.content / "model.onnx"
    content = bytearray(path.read_bytes())
    for bit in rng.choice(8 * len(content), int(rng.integers(1, 4)), replace=False).tolist():
        content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    mutant.reseal()


HOSTILE: Mapping[str, Mutation] = MappingProxyType(
    {
        "values of the manifest, resealed": _values,
        "values of other parts, resealed": _parts,
        "paths in the manifest, resealed": _paths,
        "spellings of the manifest, resealed": _spellings,
        "hostile graphs, resealed": _graphs,
        "weights and golden rows, resealed": _lies,
        "measurements, hashed anew": _measurements,
    }
)
