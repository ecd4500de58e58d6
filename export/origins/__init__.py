"""Models that were not tuned here: a Keras file, what an import path names, a pickle that the user vouches for."""

from export.origins.load_model import load_model
from export.origins.loaded import Loaded

__all__ = ["Loaded", "load_model"]
