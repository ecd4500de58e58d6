"""Joins a Ray cluster, or starts one of this machine."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Iterator
from typing import Any

from evertune.errors import SearchError

_CONNECT_SECONDS = 10.0
_VARIABLES = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # else it warns; `RayPool` hides devices itself
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".*",  # of what nodes say on our standard output: that a worker died is in the journal
}


def ray_module() -> Any:
    """The module `ray`, with its telemetry off, and silent.

    Raises:
        SearchError: It is not installed.
    """
    for name, value in _VARIABLES.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError as error:
        raise SearchError(
            'tune.executor = "ray", but Ray is not installed',
            fix='Run `pip install "ray>=2.60"` (or install evertune[ray]), or set tune.executor = "processes".',
        ) from error
    return ray


def join(address: str) -> bool:
    """Connects this process, unless it is connected.

    Args:
        address: "host:port" of a head node, "auto" for the cluster that this machine belongs to, empty for one that
            ends with this process, however that ends.

    Returns:
        Whether it is for the caller to disconnect.

    Raises:
        SearchError: No cluster answers there.
    """
    ray = ray_module()
    if ray.is_initialized():
        return False
    if address.startswith("ray://"):
        raise SearchError(
            f"tune.ray_address = {address!r} is an address of Ray Client, over which no search runs",
            fix='Run `evertune tune` on a node of the cluster, with tune.ray_address = "auto".',
        )
    options: dict[str, Any] = {} if address else {"include_dashboard": False}
    try:
        if ":" in address:
            _require_listener(address)
        with _own_termination():
            ray.init(address or "local", log_to_driver=False, logging_level="ERROR", **options)
    except (OSError, RuntimeError, ValueError) as error:  # ConnectionError is one of the first
        raise SearchError(
            f"no Ray cluster answers at tune.ray_address = {address!r}: {error}",
            fix="Start one (`ray start --head`), correct the address, or leave it empty for a cluster of this machine.",
        ) from error
    return True


def _require_listener(address: str) -> None:
    """Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()


@contextlib.contextmanager
def _own_termination() -> Iterator[None]:
    """Ray puts a handler of its own in the place of whoever called us."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
