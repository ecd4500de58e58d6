"""Bringing a bundle up in the background, proven and warm before it sees a request."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor

import numpy as np

from evertune.bundle import Bundle, BundleStore
from evertune.errors import BundleError
from evertune.runtime import Session
from evertune.settings import Settings
from evertune.tensors import Tensors
from serve.batcher import Batcher
from serve.live import Live
from serve.raw_request import RawReader
from serve.recorder import Recorder

# Up to here a full batch runs on the event loop. Handing it to a thread would let the loop read the next requests
# meanwhile, but the thread then waits for the interpreter's lock (5 ms at worst) to hand back its result.
_INLINE_SECONDS = 0.003


class Loader:
    """Loads bundles for one server worker. `load` may run in any thread.

    Args:
        store: Where bundles come from.
        settings: Batch and queue sizes, threads.
        recorder: Makes the recorder of a bundle.
        executor: Runs the batches of models that are too slow for the event loop.
    """

    def __init__(
        self, store: BundleStore, settings: Settings, recorder: Callable[[Bundle], Recorder], executor: Executor
    ) -> None:
        self._store, self._settings, self._recorder, self._executor = store, settings, recorder, executor

    def load(self, model: str, digest: str) -> Live:
        """Fetches, audits every byte, checks the golden rows, warms up.

        Raises:
            BundleError: Unknown, damaged, of another model, or its answers are not the sealed ones.
        """
        bundle = self._store.get(digest)
        if bundle.manifest.model != model:
            raise BundleError(
                f"bundle {digest[:12]} is of the model {bundle.manifest.model!r}, not {model!r}",
                fix="Promote a bundle of that model.",
            )
        session = bundle.verified_session(threads=self._settings.export.threads)
        max_rows = self._settings.serve.max_batch_rows
        quick = _warm(session, bundle.golden.inputs, max_rows) < _INLINE_SECONDS
        batcher = Batcher(
            session.run,
            self._recorder(bundle).settle,
            max_rows=max_rows,
            max_queue_rows=self._settings.serve.max_queue_rows,
            executor=None if quick else self._executor,
        )
        return Live(bundle, batcher, self._raw_reader(bundle))

    def _raw_reader(self, bundle: Bundle) -> RawReader | None:
        """Tried once on what the documentation shows, so that no client pays for imports, or finds them missing."""
        if bundle.preprocessor is None:
            return None
        serve, signature = self._settings.serve, bundle.manifest.signature
        example = {column.name: [column.example] for column in bundle.preprocessor.columns}
        try:
            bundle.preprocessor.transform(example)
        except Exception as error:  # a missing package, or what a library says of a file made elsewhere
            raise BundleError(
                f"the preprocessor of bundle {bundle.digest[:12]} does not run here: {error}",
                fix="Install what Evertune's base dependencies name, or export the model again.",
            ) from error
        return RawReader(
            bundle.preprocessor, signature, max_rows=serve.max_queue_rows, max_tensor_bytes=serve.max_tensor_bytes
        )


def _warm(session: Session, golden: Tensors, max_rows: int) -> float:
    """Runs small and full batches, so that the first client does not pay for memory that ONNX Runtime allocates.

    Returns:
        Seconds of a full batch, the best of ten: other processes only ever make it slower.
    """
    for rows in (1, 2, max_rows):
        session.run(_tile(golden, rows))
    full = _tile(golden, max_rows)
    return min(_timed(session, full) for _ in range(10))


def _tile(golden: Tensors, rows: int) -> Tensors:
    return {name: np.resize(value, (rows, *value.shape[1:])) for name, value in golden.items()}


def _timed(session: Session, inputs: Tensors) -> float:
    start = time.perf_counter()
    session.run(inputs)
    return time.perf_counter() - start
