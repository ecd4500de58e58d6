"""A client of the server, blocking and asynchronous; it brings httpx, which nothing else in this room needs."""

from evertune.client.async_client import AsyncClient
from evertune.client.client import Client
from evertune.client.errors import DeadlineError, RemoteError, UnreachableError
from evertune.client.inference import Inference
from evertune.client.prediction import Prediction
from evertune.client.receipt import Receipt
from evertune.client.retry import Retry

__all__ = [
    "AsyncClient",
    "Client",
    "DeadlineError",
    "Inference",
    "Prediction",
    "Receipt",
    "RemoteError",
    "Retry",
    "UnreachableError",
]
