"""The BentoML service that `bentofile.yaml` names.

`bentoml serve` imports this module in its supervisor and in every worker. BentoML supplies the supervisor, the
workers, their sockets, the packaging and the docs' assets; the data plane answers the requests, since BentoML's own
stack costs four fifths of the throughput of a small model (docs/adr).
"""

from __future__ import annotations

import logging
import os
from functools import partial
from pathlib import Path
from typing import Any

# Before BentoML: no usage statistics, no tracing layer around each request.
os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
os.environ.setdefault("OTEL_SDK_DISABLED", "true")

import bentoml
from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml._internal.context import server_context
from bentoml._internal.utils.analytics.usage_stats import do_not_track

from evertune.settings import load_project
from serve.asgi import App
from serve.http_protocol import use_one_write
from serve.plane import DataPlane
from serve.shared_metrics import claim_folder, worker_metrics
from serve.worker import Worker

do_not_track.cache_clear()  # BentoML's command line asked before this module could say so

# uvicorn puts together a line for each request as long as the logger has a handler anywhere above it, and BentoML's
# level then throws it away: 3% of the time of a loaded worker.
logging.getLogger("uvicorn.access").propagate = False
use_one_write()

_project = load_project()
_serve = _project.settings.serve

if server_context.worker_index is None:  # the supervisor
    # BentoML's default folder is shared by all servers of a user, and each empties it at its start.
    BentoMLContainer.prometheus_multiproc_dir.set(str(claim_folder(_project.state / "metrics")))


class FrontedService(bentoml.Service[Any]):  # type: ignore[misc]  # _bentoml_sdk ships no py.typed
    """A BentoML service with the data plane in front of its application."""

    def to_asgi(self, is_main: bool = True) -> App:
        """BentoML's application, behind ours."""
        inner: App = super().to_asgi(is_main)
        return DataPlane(inner, partial(_start))


async def _start() -> Worker:
    shared = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return await Worker.start(_project, worker_metrics(Path(shared) if shared else None))


@bentoml.service(
    name="evertune",
    service_class=FrontedService,
    workers=_serve.workers,
    http={"host": _serve.host, "port": _serve.port},
    metrics={"enabled": False},  # its labels are raw paths: five unknown URLs add a hundred series
    logging={"access": {"enabled": False}},
)
class Evertune:
    """Serves the champions of the registry."""
