from __future__ import annotations

import asyncio
from typing import Any

import pytest

from serve.errors import MethodError, RouteError
from serve.handlers import Handlers
from serve.reply import Reply
from serve.router import Router

NO_WORKER: Any = None  # finding a route asks nobody


@pytest.fixture
def router() -> Router:
    return Router(Handlers(NO_WORKER))


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("POST", "/predict", "/predict"),
        ("HEAD", "/readyz", "/readyz"),
        ("GET", "/v2/models", "/v2/models"),
        ("POST", "/predict/shoes", "/predict/{name}"),
        ("GET", "/v2/models/shoes", "/v2/models/{name}"),
        ("GET", "/v2/models/shoes/ready", "/v2/models/{name}/ready"),
        ("POST", "/v2/models/Schuhe & Söhne/infer", "/v2/models/{name}/infer"),
    ],
)
def test_a_route_is_counted_under_a_name_without_the_models(router: Router, method: str, path: str, name: str) -> None:
    for _ in range(2):
        route = router.find(method, path)
        assert route is not None
        assert route.name == name


@pytest.mark.parametrize(
    "path", ["/v2/", "/v2/modells", "/v2/models/", "/v2/models//infer", "/predict/", "/predict/a/b", "/labels//"]
)
def test_what_is_nearly_a_path_of_ours_is_refused(router: Router, path: str) -> None:
    with pytest.raises(RouteError, match="no such path"):
        router.find("POST", path)


def test_other_paths_are_left_to_bentoml(router: Router) -> None:
    assert router.find("GET", "/static_content/swagger-ui.css") is None


@pytest.mark.parametrize("path", ["/v2/models/shoes/versions/3", "/v2/models/shoes/versions/3/infer"])
def test_versions_are_not_addressed(router: Router, path: str) -> None:
    with pytest.raises(RouteError, match="champion"):
        router.find("POST", path)


@pytest.mark.parametrize(
    ("method", "path", "right"),
    [
        ("GET", "/predict", "POST"),
        ("POST", "/metrics", "GET"),
        ("HEAD", "/v2/models/shoes/infer", "POST"),
        ("GET", "/predict/shoes", "POST"),
    ],
)
def test_a_wrong_method_is_told_the_right_one(router: Router, method: str, path: str, right: str) -> None:
    with pytest.raises(MethodError) as refused:
        router.find(method, path)
    reply = Reply.error(refused.value)
    assert reply.status == 405
    assert (b"allow", right.encode()) in reply.headers


def test_names_that_clients_invent_do_not_pile_up(router: Router) -> None:
    for index in range(5000):
        router.find("GET", f"/v2/models/{index}/ready")
        router.find("POST", f"/predict/{index}")
    assert len(router._recent) <= 256


def test_what_was_not_foreseen_is_told_without_its_insides(caplog: pytest.LogCaptureFixture) -> None:
    reply = Reply.error(ValueError("the password is 1234"))
    assert reply.status == 500
    assert b"1234" not in reply.body
    assert "1234" in caplog.text


def test_an_answer_is_sent_with_its_length() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Reply.json({"a": 1}).send(send))
    assert (b"content-length", b"7") in sent[0]["headers"]
    assert sent[1]["body"] == b'{"a":1}'
