"""What all tests share."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

# `evertune promote` enters bundles in BentoML's model store: here in one of the tests' own, in child processes too.
if "BENTOML_HOME" not in os.environ:
    os.environ["BENTOML_HOME"] = tempfile.mkdtemp(prefix="bentoml-tests-")
    atexit.register(shutil.rmtree, os.environ["BENTOML_HOME"], ignore_errors=True)
