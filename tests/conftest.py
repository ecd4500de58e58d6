"""What holds for every process that tests start, and so has to be set before any of them imports a framework."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

# OpenMP's threads wait for each other in busy loops, the quickest way on idle cores. Here the tests on the other cores
# want them, and training a small model then takes several times its processor time: let those sleep.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# `evertune promote` enters bundles in BentoML's model store: here in one of the tests' own, in child processes too.
if "BENTOML_HOME" not in os.environ:
    os.environ["BENTOML_HOME"] = tempfile.mkdtemp(prefix="bentoml-tests-")
    atexit.register(shutil.rmtree, os.environ["BENTOML_HOME"], ignore_errors=True)
