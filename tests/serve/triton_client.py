"""Run by test_triton.py in a process of its own: Triton's client brings gevent, which wants to come first.

Prints what it saw as JSON; whatever goes wrong in it goes wrong in the test.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput, InferResult
from tritonclient.utils import InferenceServerException

MODEL, INPUT, OUTPUT = "shoes", "image", "probabilities"


def main() -> None:
    url, key = sys.argv[1:]
    headers = {"Authorization": f"Bearer {key}"}
    image = np.arange(32, dtype=np.uint8).reshape(2, 4, 4)
    seen: dict[str, Any] = {}
    with InferenceServerClient(url) as client:
        seen["ready"] = [client.is_server_live(), client.is_server_ready(), client.is_model_ready(MODEL)]
        seen["unknown_ready"] = client.is_model_ready("hats")
        seen["extensions"] = client.get_server_metadata()["extensions"]
        seen["inputs"] = client.get_model_metadata(MODEL)["inputs"]
        results: dict[str, InferResult] = {}
        for sent in (True, False):
            for got in (True, False, None):
                outputs = None if got is None else [InferRequestedOutput(OUTPUT, binary_data=got)]
                for compression in (None, "gzip", "deflate"):
                    results[f"{sent} {got} {compression}"] = client.infer(
                        MODEL,
                        [_input(image, binary=sent)],
                        outputs=outputs,
                        request_id="mine",
                        headers=dict(headers),
                        request_compression_algorithm=compression,
                        response_compression_algorithm=compression,
                    )
        seen["ids"] = sorted({result.get_response()["id"] for result in results.values()})
        seen["binary"] = [name for name, result in results.items() if "data" not in result.get_output(OUTPUT)]
        seen["answers"] = {name: result.as_numpy(OUTPUT).tolist() for name, result in results.items()}
        running = client.async_infer(MODEL, [_input(image, binary=True)], headers=dict(headers))
        seen["answers"]["async"] = running.get_result(timeout=30).as_numpy(OUTPUT).tolist()
        seen["refused"] = _refusal(client, headers)
    print(json.dumps(seen))


def _input(image: np.ndarray[Any, Any], *, binary: bool) -> InferInput:
    tensor = InferInput(INPUT, list(image.shape), "UINT8")
    tensor.set_data_from_numpy(image, binary_data=binary)
    return tensor


def _refusal(client: InferenceServerClient, headers: dict[str, str]) -> list[str]:
    try:
        client.infer(MODEL, [_input(np.zeros((1, 4, 5), np.uint8), binary=True)], headers=headers)
    except InferenceServerException as error:
        return [str(error.status()), str(error.message())]
    raise AssertionError("a wrong shape was taken")


if __name__ == "__main__":
    main()
