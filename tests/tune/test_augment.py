from __future__ import annotations

import numpy as np
import pytest

from evertune.tensors import TensorSpec
from examples.fashion_mnist.data import training_rows
from tune.augment import AUGMENTATIONS, applies_to, augment

IMAGES = training_rows().inputs["image"][:200]


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("channels", [False, True])
def test_shape_and_dtype_stay_and_the_original_is_not_touched(name: str, channels: bool) -> None:
    images = np.repeat(IMAGES[..., None], 3, axis=3) if channels else IMAGES.copy()
    before = images.copy()
    found = augment(images, name, np.random.default_rng(0))
    assert (found.shape, found.dtype) == (images.shape, images.dtype)
    assert (images == before).all()
    assert (found == before).all() == (name == "none")


def test_half_of_the_images_are_mirrored_from_left_to_right() -> None:
    found = augment(IMAGES, "flip", np.random.default_rng(0))
    mirrored = (found == IMAGES[:, :, ::-1]).all(axis=(1, 2))
    same = (found == IMAGES).all(axis=(1, 2))
    assert (mirrored | same).all()
    assert 60 < mirrored.sum() < 140


def test_a_shift_moves_up_to_two_pixels_and_brings_in_zeros() -> None:
    images = np.zeros((500, 20, 20), np.uint8)
    images[:, 10, 10] = 255
    found = augment(images, "shift", np.random.default_rng(0))
    _, rows, columns = np.nonzero(found)
    moves = set(zip((rows - 10).tolist(), (columns - 10).tolist(), strict=True))
    assert moves == {(down, right) for down in range(-2, 3) for right in range(-2, 3)}
    full = augment(np.full((500, 20, 20), 9, np.uint8), "shift", np.random.default_rng(0))
    assert set(np.unique(full)) == {0, 9}


def test_the_same_generator_gives_the_same_images() -> None:
    first, second = (augment(IMAGES, "shift_flip", np.random.default_rng((3, 1))) for _ in range(2))
    assert (first == second).all()
    assert (first != augment(IMAGES, "shift_flip", np.random.default_rng((3, 2)))).any()


def test_it_is_offered_for_one_image_that_is_large_enough() -> None:
    def image(*shape: int | None) -> TensorSpec:
        return TensorSpec("image", "uint8", shape)

    assert applies_to((image(28, 28),))
    assert applies_to((image(16, 16, 3),))
    assert not applies_to((image(15, 28),))
    assert not applies_to((image(None, 28),))
    assert not applies_to((image(100),))
    assert not applies_to((image(28, 28), image(28, 28)))
