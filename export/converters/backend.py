"""Which framework a Keras model computes with."""

from __future__ import annotations

import sys
from typing import Any


def is_keras_on(backend: str, model: Any) -> bool:
    """Whether `model` is a `keras.Model` and this process runs Keras on `backend`. Imports nothing."""
    kinds = [base for base in type(model).__mro__ if base.__name__ == "Model" and base.__module__.startswith("keras.")]
    return bool(kinds) and sys.modules["keras"].config.backend() == backend
