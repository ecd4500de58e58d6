"""Randomness of one trial."""

from __future__ import annotations

import random

import numpy as np


def seed_everything(seed: int) -> None:
    """Seeds Python, numpy and torch, and drops what Keras remembers of earlier models.

    `keras.utils.set_random_seed` does the same but imports TensorFlow on every backend: seven seconds. Keras draws its
    own seeds from Python's generator.
    """
    import keras

    keras.backend.clear_session(free_memory=False)
    random.seed(seed)
    np.random.seed(seed % 2**32)
    if keras.config.backend() == "torch":
        import torch

        torch.manual_seed(seed)
    else:
        keras.utils.set_random_seed(seed)
