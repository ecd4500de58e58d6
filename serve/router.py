"""From method and path to a handler. Routes are a closed set, so that they can be labels of metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from serve.asgi import Receive, Scope
from serve.errors import MethodError, RouteError
from serve.handlers import Handlers
from serve.reply import Reply

Handler = Callable[[Scope, Receive], Awaitable[Reply]]
ModelHandler = Callable[..., Awaitable[Reply]]  # takes the model's name besides
_MODELS = "/v2/models/"
_PREDICT = "/predict/"
_RECENT = 256


@dataclass(frozen=True, slots=True)
class Route:
    """A handler with the name under which it is counted."""

    name: str
    method: str
    handler: Handler


class Router:
    """Finds routes.

    Args:
        handlers: What they lead to.
    """

    def __init__(self, handlers: Handlers) -> None:
        self._exact = {path: Route(path, method, handler) for path, method, handler in _exact_routes(handlers)}
        self._recent: dict[str, Route] = {}
        self._predict = handlers.predict
        self._of_model: dict[str, tuple[str, ModelHandler]] = {
            "infer": ("POST", handlers.infer),
            "ready": ("GET", handlers.model_ready),
            "": ("GET", handlers.model),
        }

    def find(self, method: str, path: str) -> Route | None:
        """The route of a request; None where the path is not ours.

        Raises:
            MethodError: The path is ours, the method is not.
            RouteError: The path is below `/v2/` or `/predict/` and leads nowhere.
        """
        route = self._exact.get(path) or self._recent.get(path) or self._model_route(path)
        if route is None and (
            path.startswith(("/v2/", _PREDICT)) or (len(path) > 1 and path.rstrip("/") in self._exact)
        ):
            raise RouteError(f"no such path: {path[:200]}", fix="See /docs for all paths.")
        if route is not None and method != route.method and not (method == "HEAD" and route.method == "GET"):
            raise MethodError(f"{path[:200]} takes {route.method}", fix=f"Send {route.method}.", allow=route.method)
        return route

    def _model_route(self, path: str) -> Route | None:
        if path.startswith(_PREDICT):
            return self._predict_route(path)
        if not path.startswith(_MODELS):
            return None
        model, _, action = path[len(_MODELS) :].partition("/")
        if action.startswith("versions/"):
            raise RouteError(
                "versions are not addressed one by one: the champion serves",
                fix=f"Leave 'versions/...' out: {_MODELS}{model[:80]}/infer.",
            )
        found = self._of_model.get(action)
        if found is None or not model:
            return None
        method, handler = found
        return self._keep(path, Route(f"{_MODELS}{{name}}/{action}".rstrip("/"), method, partial(handler, model=model)))

    def _predict_route(self, path: str) -> Route | None:
        model = path[len(_PREDICT) :]
        if not model or "/" in model:
            return None
        return self._keep(path, Route(f"{_PREDICT}{{name}}", "POST", partial(self._predict, model=model)))

    def _keep(self, path: str, route: Route) -> Route:
        if len(self._recent) >= _RECENT:  # names are the clients' choice
            self._recent.clear()
        self._recent[path] = route
        return route


def _exact_routes(handlers: Handlers) -> list[tuple[str, str, Handler]]:
    return [
        ("/predict", "POST", handlers.predict),
        ("/labels", "POST", handlers.labels),
        ("/metrics", "GET", handlers.metrics),
        ("/v2", "GET", handlers.server),
        ("/v2/models", "GET", handlers.models),
        ("/v2/health/live", "GET", handlers.live),
        ("/v2/health/ready", "GET", handlers.ready),
        ("/livez", "GET", handlers.live),
        ("/healthz", "GET", handlers.live),
        ("/readyz", "GET", handlers.ready),
        ("/openapi.json", "GET", handlers.openapi),
        ("/docs.json", "GET", handlers.openapi),
        ("/docs", "GET", handlers.docs),
        ("/", "GET", handlers.docs),
    ]
