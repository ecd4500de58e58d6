"""The load generator wrk, with one request that it sends again and again."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from evertune.errors import EvertuneError

CONNECTIONS = 64
_SCRIPT = """\
local file = io.open("{body}", "rb")
wrk.method, wrk.body = "POST", file:read("*a")
file:close()
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer {key}"
done = function(summary, latency, requests)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  local form = '\\n{{"requests": %d, "seconds": %f, "p50": %f, "p99": %f, "non_2xx": %d, "broken": %d}}\\n'
  io.write(string.format(form, summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e6,
    latency:percentile(99) / 1e6, errors.status, broken))
end
"""


def find_wrk() -> str:
    """Path of the program.

    Raises:
        EvertuneError: It is not installed.
    """
    found = shutil.which("wrk")
    if found is None:
        raise EvertuneError("the load generator wrk is not installed", fix="Run `apt-get install wrk`.")
    return found


@dataclass(frozen=True)
class Found:
    """What wrk saw.

    Attributes:
        requests: Answered.
        seconds: That it took.
        p50: Median latency in seconds.
        p99: 99th percentile.
        non_2xx: Answers of status 400 and above.
        broken: Connections, reads and writes that failed or took over 20 seconds.
    """

    requests: int
    seconds: float
    p50: float
    p99: float
    non_2xx: int
    broken: int


class Load:
    """One request over many connections from one thread.

    Args:
        wrk: Path of the program.
        folder: For the request and the script.
        body: JSON.
        key: API key.
    """

    def __init__(self, wrk: str, folder: Path, body: bytes, key: str) -> None:
        self.body, self.headers = body, {"Authorization": f"Bearer {key}"}
        self._wrk, self._script = wrk, folder / "load.lua"
        (folder / "body.json").write_bytes(body)
        self._script.write_text(_SCRIPT.format(body=folder / "body.json", key=key))

    def on(self, url: str, seconds: int) -> Found:
        """Loads a server."""
        options = ["--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{seconds}s", "--timeout", "20s"]
        command = [self._wrk, *options, "--script", str(self._script), url]
        ended = subprocess.run(command, capture_output=True, text=True, check=True)
        return Found(**json.loads(ended.stdout.strip().splitlines()[-1]))
