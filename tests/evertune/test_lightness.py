from __future__ import annotations

import subprocess
import sys

_IMPORT_ALL = """
import importlib, pkgutil, sys
import evertune
for module in pkgutil.walk_packages(evertune.__path__, "evertune."):
    if ".migrations" not in module.name:
        importlib.import_module(module.name)
heavy = {"tensorflow", "torch", "keras", "sklearn", "bentoml", "alembic", "fsspec"}  # the last two wait for their use
print(*sorted(heavy & set(sys.modules)))
"""


def test_importing_every_contract_imports_no_framework() -> None:
    done = subprocess.run([sys.executable, "-c", _IMPORT_ALL], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
