"""The drift of the demo: the camera is swapped for one that inverts contrast and sits askew."""

from __future__ import annotations

import numpy as np

from evertune.tensors import Array

_SHIFT_PIXELS = (3, -2)  # down, left: pixels pushed out come back on the other side


def swap_camera(images: Array) -> Array:
    """What the new camera sees.

    Args:
        images: uint8, shape (rows, height, width).

    Returns:
        The same dtype and shape: contrast inverted, picture shifted.

    Example:
        >>> swap_camera(np.zeros((1, 28, 28), np.uint8)).min()
        np.uint8(255)
    """
    shifted: Array = np.roll(255 - images, _SHIFT_PIXELS, axis=(1, 2))
    return shifted
