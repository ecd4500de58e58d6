"""Images: files of picture bytes as pixels."""

from __future__ import annotations

import base64
import binascii
import io
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, ClassVar, Literal, Self, get_args

import numpy as np

from evertune.errors import InputError
from evertune.preprocessing.column import Column
from evertune.preprocessing.step import bad_value, checked_name
from evertune.tensors import Array, TensorSpec

FORMATS = ("PNG", "JPEG", "WEBP")  # the fewer decoders, the fewer holes
Resize = Literal["exact", "nearest", "box", "bilinear", "bicubic", "lanczos"]
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")  # 8 bits a channel
_HIGHEST = 4096  # side of the graph's input
_DATA_URL = "data:image/"


@dataclass(frozen=True)
class Image:
    """One column of image files: bytes, or base64 where they come in JSON.

    Transparent pixels become white; a photograph is turned as its EXIF says; of an animation the first frame counts.

    Attributes:
        column: Its name.
        height: Of the graph's input.
        width: Likewise.
        channels: 1 is grey, 3 is red, green, blue.
        resize: "exact" refuses other sizes; else Pillow's filter, stretching where the shape differs.
        output: Name of the graph's input, uint8, shape (height, width) or (height, width, 3).
        max_bytes: Of one file.
        max_pixels: Of one file as it is decoded, looked up in its head before that.
    """

    name: ClassVar[str] = "image"

    column: str
    height: int
    width: int
    channels: int = 3
    resize: Resize = "exact"
    output: str = "image"
    max_bytes: int = 8_000_000
    max_pixels: int = 25_000_000

    def __post_init__(self) -> None:
        sizes = (self.height, self.width, self.max_bytes, self.max_pixels)
        if not all(type(size) is int and size >= 1 for size in sizes) or max(self.height, self.width) > _HIGHEST:
            raise ValueError(f"an image of {self.height} x {self.width} pixels, or its limits, are out of range")
        if self.channels not in (1, 3) or self.resize not in get_args(Resize):
            raise ValueError(f"an image of {self.channels!r} channels, resized by {self.resize!r}")

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """See `Step`."""
        size = f"exactly {self.height} x {self.width}" if self.resize == "exact" else f"at most {self.max_pixels}"
        text = f"A file ({', '.join(FORMATS)}) of {size} pixels, at most {self.max_bytes} bytes; base64 in JSON."
        return (Column(self.column, "image", text, self._example()),)

    @property
    def spec(self) -> TensorSpec:
        """See `Step`."""
        return TensorSpec(
            self.output, "uint8", (self.height, self.width, *([self.channels] if self.channels > 1 else []))
        )

    def transform(self, values: Mapping[str, Sequence[Any]]) -> Array:
        """See `Step`."""
        found = np.empty((len(values[self.column]), *self._shape), np.uint8)
        for row, value in enumerate(values[self.column]):
            found[row] = self._pixels(self._bytes(value, row), row)
        return found

    def to_json(self) -> dict[str, Any]:
        """See `Step`."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """See `Step`."""
        names = {name: checked_name(data[name]) for name in ("column", "output")}
        return cls(**{**data, **names})

    @property
    def _shape(self) -> tuple[int, ...]:
        return (self.height, self.width) if self.channels == 1 else (self.height, self.width, self.channels)

    def _bytes(self, value: Any, row: int) -> bytes:
        if isinstance(value, str):
            value = self._decoded(value, row)
        if not isinstance(value, bytes):
            raise self._bad(row, f"a {type(value).__name__} is no image file", "Send the file's bytes, base64 in JSON.")
        if len(value) > self.max_bytes:
            raise self._bad(row, f"the file has {len(value)} bytes", f"Send at most {self.max_bytes} bytes a file.")
        return value

    def _decoded(self, text: str, row: int) -> bytes:
        if text.startswith(_DATA_URL):  # as browsers' `toDataURL` writes it
            text = text.partition(",")[2]
        try:
            return base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise self._bad(
                row, "the text is not base64", "Send the file's bytes as base64, and nothing else."
            ) from None

    def _pixels(self, content: bytes, row: int) -> Array:
        from PIL import Image as pillow  # noqa: N813  # the server of a model without images needs none of it
        from PIL import ImageOps

        try:
            with pillow.open(io.BytesIO(content), formats=FORMATS) as opened:
                self._check(opened.size, opened.mode, row)
                opened.load()
                upright = ImageOps.exif_transpose(opened)
        except InputError:
            raise
        except Exception as error:  # decoders raise a dozen types; warnings of bombs may be errors, too
            raise self._bad(row, f"the file cannot be read as an image ({_reason(error)})", self._fix) from None
        if upright.has_transparency_data:
            upright = pillow.alpha_composite(pillow.new("RGBA", upright.size, "white"), upright.convert("RGBA"))
        found = upright.convert("L" if self.channels == 1 else "RGB")
        if found.size != (self.width, self.height):
            if self.resize == "exact":
                raise self._bad(row, f"the image is {found.size[1]} x {found.size[0]} pixels", self._fix)
            found = found.resize((self.width, self.height), pillow.Resampling[self.resize.upper()])
        return np.asarray(found)

    def _check(self, size: tuple[int, int], mode: str, row: int) -> None:
        if size[0] * size[1] > self.max_pixels:
            raise self._bad(
                row, f"the image has {size[0] * size[1]} pixels", f"Send at most {self.max_pixels} pixels a file."
            )
        if mode not in _MODES:
            raise self._bad(row, f"the image has the mode {mode}", "Send 8 bits a channel: grey or colour.")

    @property
    def _fix(self) -> str:
        shape = f" of {self.height} x {self.width} pixels (height x width)" if self.resize == "exact" else ""
        return f"Send a {', '.join(FORMATS)} file{shape}."

    def _bad(self, row: int, problem: str, fix: str) -> InputError:
        return bad_value(self.column, row, problem, fix)

    def _example(self) -> str:
        height, width = (self.height, self.width) if self.resize == "exact" else (1, 1)
        return base64.b64encode(_black_png(height, width)).decode()


def _black_png(height: int, width: int) -> bytes:
    """The smallest file that passes, without Pillow: a server asks for it that may never see an image."""
    rows = zlib.compress(bytes((width + 1) * height), 9)
    parts = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", rows), (b"IEND", b"")]
    chunks = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _reason(error: Exception) -> str:
    if type(error).__name__ == "UnidentifiedImageError":
        return "unknown or damaged format"
    return str(error).splitlines()[0][:100] if str(error) else type(error).__name__
