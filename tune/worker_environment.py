"""What has to be in a worker's environment before anything is imported there."""

from __future__ import annotations

import os

_THREAD_VARIABLES = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
    "TF_NUM_INTRAOP_THREADS",  # TensorFlow has a pool of its own
)


def worker_environment(backend: str, threads: int) -> dict[str, str]:
    """Variables for a worker.

    Args:
        backend: Of Keras.
        threads: Of each numeric library.
    """
    return {
        # OpenMP spins while it waits: beside a server on the same cores that took five times the processor time.
        "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE"),
        "KERAS_BACKEND": backend,
        "TF_CPP_MIN_LOG_LEVEL": "2",  # no notices about the processor
        **dict.fromkeys(_THREAD_VARIABLES, str(threads)),
    }
