"""Prints a request with one image of the stream: `python -m examples.fashion_mnist.request [--v2 | --png]`."""

from __future__ import annotations

import argparse
import json
import sys

from PIL import Image as pillow  # noqa: N813  # a module's name

from examples.fashion_mnist.data import stream_rows


def main() -> None:
    """Prints a body for `/predict`, for the Open Inference Protocol (`--v2`), or the image as a file (`--png`)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--v2", action="store_true", help="for /v2/models/NAME/infer instead of /predict")
    parser.add_argument("--png", action="store_true", help="the file itself, for /predict -F file=@...")
    parser.add_argument("--row", type=int, default=0, help="of the stream, 0 to 7999")
    chosen = parser.parse_args()
    image = stream_rows().inputs["image"][chosen.row]
    if chosen.png:
        pillow.fromarray(image).save(sys.stdout.buffer, "PNG")
    elif chosen.v2:
        tensor = {"name": "image", "datatype": "UINT8", "shape": [1, *image.shape], "data": image.ravel().tolist()}
        print(json.dumps({"inputs": [tensor]}))
    else:
        print(json.dumps({"inputs": {"image": [image.tolist()]}}))


if __name__ == "__main__":
    main()
