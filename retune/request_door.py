"""The door for programs that ask for a re-tune: what they get is a request, decided like any other."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from evertune.errors import AuthError, InputError, JobError
from evertune.keys import Keyring
from evertune.ledger import Ledger, RetuneRequest
from retune.ask import ask
from retune.http import WebhookToken, answered, bearer, read_body

_MOST_ROWS = 2**63 - 1  # of a table, and so the largest number of a request
_KEY_PREFIX = "ek_"  # of every API key


class UnknownRequestError(JobError):
    """There is no request of that number."""

    code, http_status = "unknown_request", 404


class Wish(BaseModel):
    """The body of `POST /retune`. All of it may be left out."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    model: str | None = Field(default=None, min_length=1, max_length=128)
    without_drift: bool = False
    reason: str = Field(default="", max_length=1000)
    id: str | None = Field(default=None, pattern="^[!-~]{1,128}$")  # the same for a wish that is sent again


class RequestDoor:
    """`POST /retune` and `GET /retune/requests/{id}`, for API keys with the role "admin" and for the webhook's token.

    The token asks like an alert: only a key, which stands for a person or a program that was trusted with it, may ask
    `without_drift`.

    Args:
        ledger: Where requests are.
        keyring: API keys of the project.
        token: Of the webhook.
    """

    def __init__(self, ledger: Ledger, keyring: Keyring, token: WebhookToken) -> None:
        self._ledger = ledger
        self._keyring = keyring
        self._token = token

    def routes(self) -> list[Route]:
        """For Starlette."""
        return [
            Route("/retune", answered(self._post), methods=["POST"]),
            Route("/retune/requests/{request_id:int}", answered(self._get), methods=["GET"]),
        ]

    async def _post(self, request: Request) -> Response:
        presented = bearer(request)
        actor = await run_in_threadpool(self._actor, presented)
        wish = _parse(await read_body(request))
        if wish.without_drift and not actor.startswith("key "):
            raise AuthError("the webhook token cannot ask without drift", fix="Use an API key with the role 'admin'.")
        asked, new = await run_in_threadpool(self._ask, wish, actor)
        answer = {"id": asked.id, "model": asked.model, "status": asked.status, "duplicate": not new}
        return JSONResponse(answer, 202, {"Location": f"/retune/requests/{asked.id}"})

    async def _get(self, request: Request) -> Response:
        await run_in_threadpool(self._actor, bearer(request))
        return JSONResponse(await run_in_threadpool(self._tell, int(request.path_params["request_id"])))

    def _actor(self, presented: str | None) -> str:
        if presented is not None and presented.startswith(_KEY_PREFIX):
            return f"key {self._keyring.verify(presented, 'admin').id}"
        try:
            self._token.check(presented)
        except AuthError as error:
            fix = "Send `Authorization: Bearer` and an API key with the role 'admin', or retune.webhook_token."
            raise AuthError("missing or wrong API key", fix=fix) from error
        return "webhook token"

    def _ask(self, wish: Wish, actor: str) -> tuple[RetuneRequest, bool]:
        model = wish.model or self._only_model()
        fingerprint = None if wish.id is None else f"http:{wish.id}"
        return ask(
            self._ledger,
            model,
            "http",
            without_drift=wish.without_drift,
            fingerprint=fingerprint,
            reason=wish.reason,
            actor=actor,
        )

    def _only_model(self) -> str:
        models = self._ledger.registry.models()
        if len(models) > 1:
            raise InputError(f"there are several models: {', '.join(models)}", fix='Add {"model": NAME}.')
        return models[0] if models else ""  # nobody's name: `ask` explains

    def _tell(self, request_id: int) -> dict[str, Any]:
        try:
            if request_id > _MOST_ROWS:
                raise JobError(f"there is no re-tune request {request_id}")
            request = self._ledger.requests.get(request_id)
        except JobError as error:
            raise UnknownRequestError(error.message, fix="Use the id that POST /retune returned.") from error
        told = {name: getattr(request, name) for name in ("id", "model", "trigger", "requested_at", "status", "reason")}
        return told | {"job": None if request.job_id is None else self._job(request.job_id)}

    def _job(self, job_id: int) -> dict[str, Any]:
        job = self._ledger.jobs.get(job_id)
        awaiting = job.detail.get("awaiting") if job.status == "awaiting" else None
        told = {"id": job.id, "status": job.status, "phase": job.phase, "reason": job.detail.get("reason")}
        return told | {"awaiting": awaiting}


def _parse(body: bytes) -> Wish:
    try:
        return Wish.model_validate_json(body or b"{}")
    except ValidationError as error:
        first: dict[str, Any] = dict(error.errors(include_url=False, include_input=False)[0])
        place = ".".join(str(part) for part in first["loc"]) or "the body"
        raise InputError(
            f"not a wish for a re-tune: {place}: {first['msg']}",
            fix=f"Send a JSON object with some of {', '.join(Wish.model_fields)}.",
        ) from error
