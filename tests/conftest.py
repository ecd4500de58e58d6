"""What holds for every process that tests start, and so has to be set before any of them imports a framework."""

from __future__ import annotations

import os

# OpenMP's threads wait for each other in busy loops, the quickest way on idle cores. Here the tests on the other cores
# want them, and training a small model then takes several times its processor time: let those sleep.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
