"""One reader process: mutates, reads, and says on stdout what came of each; its parent sees whether it lives.

`python -m benchmarks._bundle_faults SEED FIRST STEP END PLAIN`: mutants FIRST, FIRST + STEP, ... below END; those from
PLAIN on are flips of a graph that was sealed anew.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks._bundle_faults.damage import DAMAGE
from benchmarks._bundle_faults.hostile import HOSTILE, flip_resealed_graph
from benchmarks._bundle_faults.reading import read
from benchmarks._bundle_faults.victim import Victim, copy_of, make_victim

_MOST_BYTES = 16 << 30  # of address space: a mutant that asks for more is a crash, not a machine that swaps
_PARENT = os.dup(1)
os.dup2(2, 1)  # libraries print to stdout, too
_MUTATIONS = {**DAMAGE, **HOSTILE}


def _one(victim: Victim, seed: int, index: int, plain: int, folder: Path) -> dict[str, str]:
    rng = np.random.default_rng([seed, index])
    names = list(_MUTATIONS)
    name = "flips of the graph, resealed" if index >= plain else names[index % len(names)]
    mutant = copy_of(victim, folder / "store")
    (flip_resealed_graph if index >= plain else _MUTATIONS[name])(mutant, rng)
    _say({"reading": index, "mutation": name})
    return {"mutation": name, **read(mutant, folder / "cache")}


def _say(what: dict[str, object]) -> None:
    os.write(_PARENT, json.dumps(what).encode() + b"\n")


def main() -> None:
    """See the module."""
    seed, first, step, end, plain = map(int, sys.argv[1:])
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_BYTES, _MOST_BYTES))
    with tempfile.TemporaryDirectory() as home:
        victim = make_victim(Path(home))
        sound = read(copy_of(victim, Path(home) / "sound"), Path(home) / "unused")
        assert sound["outcome"] == "loaded", sound  # else every refusal below would say nothing
        for index in range(first, end, step):
            folder = Path(home) / "mutant"
            folder.mkdir()
            _say({"index": index, **_one(victim, seed, index, plain, folder)})
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
