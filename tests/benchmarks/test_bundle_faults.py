"""The benchmark of damaged bundles sees what it should see."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks._bundle_faults.damage import DAMAGE
from benchmarks._bundle_faults.hostile import HOSTILE
from benchmarks._bundle_faults.reading import read
from benchmarks._bundle_faults.victim import Victim, copy_of, make_victim
from benchmarks.bundle_faults import _follow, _Tally


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Victim:
    return make_victim(tmp_path_factory.mktemp("victim"))


@pytest.mark.parametrize("name", [*DAMAGE, *HOSTILE])
def test_a_mutant_of_each_family_is_refused_and_an_unchanged_copy_is_not(
    victim: Victim, tmp_path: Path, name: str
) -> None:
    store = tmp_path / "store"
    mutant = copy_of(victim, store)
    assert read(mutant, tmp_path / "cache") == {"outcome": "loaded", "message": ""}
    {**DAMAGE, **HOSTILE}[name](mutant, np.random.default_rng(7))
    assert read(mutant, tmp_path / "cache")["outcome"] == "refused"


def test_a_reader_that_dies_is_noticed_with_the_mutant_at_which_it_died() -> None:
    code = (
        "import os, signal\n"
        'print(\'{"index": 0, "mutation": "a", "outcome": "refused", "message": ""}\')\n'
        'print(\'{"reading": 7, "mutation": "b"}\', flush=True)\n'
        "os.kill(os.getpid(), signal.SIGSEGV)\n"
    )
    tally = _Tally()
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as reader:
        reading, _ = _follow(reader, tally)
    assert reading == {"reading": 7, "mutation": "b"}
    assert reader.returncode == -11
    assert tally.outcomes == {("a", "refused"): 1}
