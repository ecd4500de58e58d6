from __future__ import annotations

import base64
import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image as pillow  # noqa: N813  # a module's name

from evertune.errors import InputError
from evertune.preprocessing import Image
from examples.fashion_mnist.data import stream_rows

GREY = Image("file", 28, 28, channels=1)
COLOUR = Image("file", 4, 6, resize="bilinear")


def encoded(pixels: Any, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    pillow.fromarray(np.asarray(pixels)).save(file, kind, **options)
    return file.getvalue()


def test_a_real_image_comes_back_pixel_by_pixel_from_bytes_base64_and_a_data_url() -> None:
    pixels = stream_rows().inputs["image"][0]
    content = encoded(pixels)
    text = base64.b64encode(content).decode()
    found = GREY.transform(
        {"file": [content, text, f"data:image/png;base64,{text}", encoded(pixels, "WEBP", lossless=True)]}
    )
    assert found.dtype == np.uint8
    for row in found:
        np.testing.assert_array_equal(row, pixels)


def test_other_sizes_are_resized_only_where_that_is_stated() -> None:
    content = encoded(np.full((8, 12, 3), 200, np.uint8))
    assert (COLOUR.transform({"file": [content]}) == 200).all()
    with pytest.raises(InputError, match=r"row 0: the image is 8 x 12 pixels.*28 x 28"):
        GREY.transform({"file": [content]})


def test_grey_becomes_colour_and_colour_grey() -> None:
    grey, red = np.full((4, 6), 90, np.uint8), np.zeros((28, 28, 3), np.uint8)
    red[..., 0] = 255
    assert COLOUR.transform({"file": [encoded(grey)]})[0].reshape(-1, 3).tolist() == [[90, 90, 90]] * 24
    assert (GREY.transform({"file": [encoded(red)]}) == 76).all()  # ITU-R 601-2 luma: 299/1000 of red


def test_transparency_is_white_and_exif_is_obeyed() -> None:
    clear = np.zeros((4, 6, 4), np.uint8)
    assert (COLOUR.transform({"file": [encoded(clear)]}) == 255).all()
    upright = np.zeros((4, 6, 3), np.uint8)
    upright[0] = 255
    exif = pillow.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise to view
    turned = encoded(np.ascontiguousarray(np.rot90(upright)), exif=exif)
    np.testing.assert_array_equal(COLOUR.transform({"file": [turned]})[0], upright)


def bomb(height: int, width: int) -> bytes:
    """A PNG of a few bytes that claims to be huge."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", head), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    chunks = [struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in parts]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize(
    ("value", "mentioned"),
    [
        (bomb(6_000, 5_000), "30000000 pixels"),
        (bomb(60_000, 60_000), "image"),
        (bomb(28, 28), "cannot be read"),
        (b"", "unknown or damaged"),
        (b"GIF89a", "unknown or damaged"),
        (encoded(stream_rows().inputs["image"][0])[:200], "cannot be read"),
        (encoded(np.zeros((28, 28), np.uint16)), "mode"),
        (encoded(np.zeros((28, 28), np.uint8), "GIF"), "unknown or damaged"),
        (b"x" * 8_000_001, "8000001 bytes"),
        ("no base64!", "not base64"),
        ("data:image/png;base64", "unknown or damaged"),
        (None, "NoneType"),
        ([[0] * 28] * 28, "list"),
    ],
    ids=["many pixels", "most pixels", "no data", "empty", "gif head", "cut", "16 bits", "gif", "many bytes", "text",
         "data URL without data", "null", "pixels"],
)  # fmt: skip
def test_what_is_no_image_within_the_limits_is_refused_by_name_and_row(value: Any, mentioned: str) -> None:
    good = encoded(np.zeros((28, 28), np.uint8))
    with pytest.raises(InputError, match=r"column 'file', row 1: ") as refused:
        GREY.transform({"file": [good, value]})
    assert mentioned in refused.value.message


def test_the_example_passes() -> None:
    for step in (GREY, COLOUR):
        assert step.transform({"file": [step.columns[0].example]}).shape == (1, *step.spec.shape)


@pytest.mark.parametrize(
    "change",
    [
        {"height": 0},
        {"height": 10**6},
        {"width": 2.5},
        {"channels": 2},
        {"resize": "magic"},
        {"max_pixels": -1},
        {"column": 3},
    ],
)
def test_forged_data_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        Image.from_json({**GREY.to_json(), **change})
