"""Augmentation: every epoch sees its images a little otherwise."""

from __future__ import annotations

import numpy as np

from evertune.tensors import Array, TensorSpec

AUGMENTATIONS = ("none", "shift", "flip", "shift_flip")
_SHIFT_PIXELS = 2
_SMALLEST = 16  # of an image whose content survives a shift of two pixels


def applies_to(inputs: tuple[TensorSpec, ...]) -> bool:
    """Whether the task's inputs are one image, large enough."""
    sizes = inputs[0].shape[:2]
    image = len(inputs) == 1 and len(inputs[0].shape) in (2, 3)
    return image and all(size is not None and size >= _SMALLEST for size in sizes)


def augment(images: Array, name: str, random: np.random.Generator) -> Array:
    """Shifts each image by up to two pixels in each direction, mirrors half of them, both, or neither.

    Args:
        images: Shape (rows, height, width[, channels]).
        name: One of `AUGMENTATIONS`.
        random: Drawn from once a row.

    Returns:
        Same shape and dtype; what is shifted in is zero.
    """
    if "flip" in name:
        mirrored = random.random(len(images)) < 0.5
        images = images.copy()
        images[mirrored] = images[mirrored, :, ::-1]
    return _shifted(images, random) if "shift" in name else images


def _shifted(images: Array, random: np.random.Generator) -> Array:
    """One crop of the padded images for each of the 25 shifts: no loop over rows."""
    pad = _SHIFT_PIXELS
    height, width = images.shape[1:3]
    padded = np.pad(images, ((0, 0), (pad, pad), (pad, pad), *[(0, 0)] * (images.ndim - 3)))
    rows, columns = random.integers(0, 2 * pad + 1, (2, len(images)))
    shifted = np.empty_like(images)
    for top in range(2 * pad + 1):
        for left in range(2 * pad + 1):
            chosen = (rows == top) & (columns == left)
            shifted[chosen] = padded[chosen, top : top + height, left : left + width]
    return shifted
