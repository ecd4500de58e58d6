"""Randomness of one trial."""

from __future__ import annotations

import random

import numpy as np


def seed_everything(seed: int) -> None:
    """Seeds Python, numpy and the framework, and drops what Keras remembers of earlier models."""
    import keras

    keras.backend.clear_session(free_memory=False)
    seed_generators(seed)


def seed_generators(seed: int) -> None:
    """Seeds Python, numpy and the framework.

    `keras.utils.set_random_seed` does the same but imports TensorFlow on every backend: seven seconds. Keras draws its
    own seeds from Python's generator; its dropout on torch draws from torch's global one.
    """
    import keras

    random.seed(seed)
    np.random.seed(seed % 2**32)
    if keras.config.backend() == "torch":
        import torch

        torch.manual_seed(seed)
    else:
        keras.utils.set_random_seed(seed % 2**32)
