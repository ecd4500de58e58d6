"""Triton's own HTTP client against a real server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Server = Any  # of conftest.py


@pytest.fixture(scope="module")
def seen(server: Server) -> dict[str, Any]:
    script = Path(__file__).with_name("triton_client.py")
    command = [sys.executable, str(script), f"127.0.0.1:{server.port}", server.key]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    content: dict[str, Any] = json.loads(done.stdout)
    return content


def test_it_finds_server_and_model(seen: dict[str, Any]) -> None:
    assert seen["ready"] == [True, True, True]
    assert seen["unknown_ready"] is False
    assert "binary_tensor_data" in seen["extensions"]
    assert seen["inputs"] == [{"name": "image", "datatype": "UINT8", "shape": [-1, 4, 4]}]


def test_binary_and_json_in_and_out_compressed_or_not_give_the_same_answer(
    server: Server, seen: dict[str, Any]
) -> None:
    image = {"name": "image", "shape": [2, 4, 4], "datatype": "UINT8", "data": list(range(32))}
    (output,) = server.post("/v2/models/shoes/infer", {"inputs": [image]}).json()["outputs"]
    assert len(seen["answers"]) == 19
    for name, answer in seen["answers"].items():
        assert np.ravel(answer).tolist() == pytest.approx(output["data"]), name
    assert seen["ids"] == ["mine"]


def test_outputs_come_as_they_were_asked_for(seen: dict[str, Any]) -> None:
    assert len(seen["binary"]) == 12
    assert not any(name.split()[1] == "False" for name in seen["binary"])


def test_it_shows_our_message_of_an_error(seen: dict[str, Any]) -> None:
    status, message = seen["refused"]
    assert status == "400"
    assert "expected ['rows', 4, 4]" in message
