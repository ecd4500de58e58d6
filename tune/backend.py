"""One Keras backend a process."""

from __future__ import annotations

import os
import sys

from evertune.errors import SearchError


def fix_backend(backend: str) -> None:
    """Sets the backend before Keras is imported, which reads the variable once.

    Raises:
        SearchError: Keras was imported before, with another.
    """
    if "keras" in sys.modules:
        loaded = sys.modules["keras"].config.backend()
        if loaded != backend:
            raise SearchError(
                f"Keras already runs on {loaded!r} in this process, the search wants {backend!r}",
                fix=f"Set KERAS_BACKEND={backend} before Keras is imported.",
            )
    os.environ["KERAS_BACKEND"] = backend
