"""What both clients do when something goes wrong."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from evertune import errors
from evertune.client import DeadlineError, Prediction, Receipt, RemoteError, Retry, UnreachableError
from evertune.errors import EvertuneError, InputError, OverloadedError
from evertune.ids import parse_request_id

# The names of conftest.py, which `--import-mode=importlib` does not let us import.
Scripted = Any
Connect = Any


def test_a_prediction_is_typed(scripted: Scripted, connect: Connect) -> None:
    scripted.acts = [scripted.answer(scripted.prediction)]
    prediction = connect(scripted.url).predict([[1, 2], [3, 4]])
    assert prediction == Prediction("01890a5d-ac96-774b-bcce-b302099a8057:0", "boot", 0.75, "shoes", "ab" * 32)


@pytest.mark.parametrize("fault", ["reset", "hang_up", "half", "babble"])
@pytest.mark.parametrize("times", [1, 3])
def test_a_lost_answer_is_asked_for_again_with_the_same_id(
    scripted: Scripted, connect: Connect, fault: str, times: int
) -> None:
    scripted.acts = [getattr(scripted, fault)] * times + [scripted.answer(scripted.prediction)]
    client = connect(scripted.url)
    assert client.predict([1]).label == "boot"
    assert len(scripted.requests) == times + 1
    assert client.waits == [0.1, 0.2, 0.4][:times]
    assert len({body for _, _, body in scripted.requests}) == 1
    (request_id,) = {headers["idempotency-key"] for _, headers, _ in scripted.requests}
    assert parse_request_id(request_id)


def test_each_call_has_an_id_of_its_own(scripted: Scripted, connect: Connect) -> None:
    scripted.acts = [scripted.answer(scripted.prediction)]
    client = connect(scripted.url)
    for _ in range(3):
        client.predict([1])
    assert len({headers["idempotency-key"] for _, headers, _ in scripted.requests}) == 3


def test_labels_are_sent_again_too(scripted: Scripted, connect: Connect) -> None:
    scripted.acts = [scripted.reset, scripted.answer({"accepted": 1, "unchanged": 0, "corrected": 0})]
    assert connect(scripted.url).label("some id", "boot") == Receipt(1, 0, 0)
    assert [json.loads(body) for _, _, body in scripted.requests] == [
        {"labels": [{"id": "some id", "label": "boot"}]}
    ] * 2


def test_clicks_carry_their_time_and_late_ones_are_told(scripted: Scripted, connect: Connect) -> None:
    scripted.acts = [scripted.answer({"accepted": 0, "unchanged": 0, "corrected": 0, "late": 1})]
    client = connect(scripted.url)
    assert client.label("some id", "50", at=7.5) == Receipt(0, 0, 0, late=1)
    client.label("some id", None, final=True)
    client.label_many([("some id", "50")], final=True)
    assert [json.loads(body)["labels"][0] for _, _, body in scripted.requests] == [
        {"id": "some id", "label": "50", "at": 7.5},
        {"id": "some id", "label": None, "final": True},
        {"id": "some id", "label": "50", "final": True},
    ]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_server_that_asks_for_time_gets_it(scripted: Scripted, connect: Connect, status: int) -> None:
    busy = {"error": "4096 rows wait already", "code": "overloaded"}
    scripted.acts = [scripted.answer(busy, status, Retry_After="2")] * 2 + [scripted.answer(scripted.prediction)]
    client = connect(scripted.url)
    assert client.predict([1]).label == "boot"
    assert client.waits == [2.1, 2.2]


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("Thu, 01 Jan 1970 00:00:10 GMT", 4.1),  # the clock says 6
        ("Thu, 01 Jan 1970 00:00:01 GMT", 0.1),
        ("soon", 0.1),
        ("-5", 0.1),
        ("", 0.1),
    ],
)
def test_retry_after_may_name_a_moment_or_nonsense(
    scripted: Scripted, connect: Connect, header: str, wait: float
) -> None:
    scripted.acts = [scripted.answer(b"", 503, Retry_After=header), scripted.answer(scripted.prediction)]
    client = connect(scripted.url, clock=lambda: 6.0)
    client.predict([1])
    assert client.waits == pytest.approx([wait])


def test_waiting_longer_than_the_deadline_is_not_begun(scripted: Scripted, connect: Connect) -> None:
    busy = {"error": "4096 rows wait already", "code": "overloaded", "fix": "Send it again a little later."}
    scripted.acts = [scripted.answer(busy, 503, Retry_After="60")]
    client = connect(scripted.url)
    with pytest.raises(OverloadedError) as refused:
        client.predict([1])
    assert str(refused.value) == "4096 rows wait already Fix: Send it again a little later."
    assert client.waits == []


def test_it_gives_up_after_so_many_attempts(scripted: Scripted, connect: Connect) -> None:
    scripted.acts = [scripted.hang_up]
    client = connect(scripted.url, retry=Retry(attempts=3, draw=lambda: 0.5))
    with pytest.raises(UnreachableError, match="sent 3 times"):
        client.predict([1])
    assert client.waits == [0.05, 0.1]


def test_a_server_that_is_not_there(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    client = connect(url)
    with pytest.raises(UnreachableError, match=url):
        client.predict([1])
    assert client.waits == [0.1, 0.2, 0.4, 0.8]
    assert client.ready() is False


def test_a_server_that_hangs_leaves_time_for_another_attempt(scripted: Scripted, connect: Connect) -> None:
    scripted.acts = [scripted.silence, scripted.answer(scripted.prediction)]
    client = connect(scripted.url, retry=Retry(attempt_seconds=0.2))
    assert client.predict([1]).label == "boot"


def test_a_deadline_ends_a_call(scripted: Scripted, connect: Connect) -> None:
    scripted.acts = [scripted.silence]
    client = connect(scripted.url)
    with pytest.raises(DeadlineError, match=r"no answer within 0\.2 s"):
        client.predict([1], deadline_seconds=0.2)
    assert len(scripted.requests) == 1
    assert client.ready(deadline_seconds=0.2) is False


KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, EvertuneError) and kind.http_status not in (429, 502, 503, 504)
]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_of_the_server_is_raised_as_its_class(
    scripted: Scripted, connect: Connect, kind: type[EvertuneError]
) -> None:
    told = kind("tensor 'x' is odd", fix="Send another.", name="x")
    told.details |= {"message": "no argument", "fix": "nor this"}
    scripted.acts = [scripted.answer(told.to_json(), kind.http_status)]
    client = connect(scripted.url)
    with pytest.raises(EvertuneError) as raised:
        client.predict([1])
    assert type(raised.value) is (RemoteError if kind is EvertuneError else kind)
    assert (raised.value.message, raised.value.fix) == (told.message, told.fix)
    assert raised.value.details.items() >= told.details.items()
    assert len(scripted.requests) == 1


def test_an_error_of_a_kind_that_has_no_class_keeps_its_code(scripted: Scripted, connect: Connect) -> None:
    scripted.acts = [scripted.answer({"error": "the model gave NaN", "code": "model_failed"}, 500)]
    with pytest.raises(RemoteError, match="the model gave NaN") as raised:
        connect(scripted.url).predict([1])
    assert raised.value.details == {"status": 500, "code": "model_failed"}


@pytest.mark.parametrize(("status", "body"), [(404, b"<html>no such page</html>"), (403, b"[]"), (500, b'{"a": 1}')])
def test_an_error_of_somebody_else_is_shown_as_it_is(
    scripted: Scripted, connect: Connect, status: int, body: bytes
) -> None:
    scripted.acts = [scripted.answer(body, status)]
    with pytest.raises(RemoteError) as raised:
        connect(scripted.url).predict([1])
    assert f"status {status}" in str(raised.value)
    assert body.decode() in str(raised.value)


MALFORMED: list[Any] = [b"<html>", [], {}, {"predictions": None}, {"predictions": []}, {"predictions": [{"id": 1}]}]


@pytest.mark.parametrize("body", MALFORMED)
def test_an_answer_that_is_none_is_told_so(scripted: Scripted, connect: Connect, body: Any) -> None:
    scripted.acts = [scripted.answer(body)]
    client = connect(scripted.url)
    for method, arguments in (("predict", [[1]]), ("label", ["x", 1]), ("infer", ["m", {"x": [1]}])):
        with pytest.raises(RemoteError, match="not understood"):
            getattr(client, method)(*arguments)


def test_a_redirect_is_not_followed_with_the_key(scripted: Scripted, connect: Connect) -> None:
    scripted.acts = [scripted.answer(b"", 307, Location="http://elsewhere.invalid/")]
    with pytest.raises(RemoteError, match="status 307"):
        connect(scripted.url, api_key="ek_1").predict([1])


def test_the_key_comes_from_the_argument_or_the_environment(
    scripted: Scripted, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted.acts = [scripted.answer(scripted.prediction)]
    connect(scripted.url).predict([1])
    monkeypatch.setenv("EVERTUNE_API_KEY", "ek_environment")
    connect(scripted.url).predict([1])
    client = connect(scripted.url, api_key="ek_argument")
    client.predict([1])
    keys = [headers.get("authorization") for _, headers, _ in scripted.requests]
    assert keys == [None, "Bearer ek_environment", "Bearer ek_argument"]
    assert "ek_argument" not in repr(client.client)


@pytest.mark.parametrize("url", ["localhost:3000", "ftp://here", "http://", "", "http://here:port", "file:///etc"])
def test_what_is_no_url_of_a_server_is_refused_at_once(connect: Connect, url: str) -> None:
    with pytest.raises(InputError, match="no URL"):
        connect(url)


def test_a_key_that_no_header_takes_is_refused_without_being_shown(connect: Connect) -> None:
    with pytest.raises(InputError) as refused:
        connect("http://here", api_key="ek_secret\n")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "options", [{"attempts": 0}, {"attempt_seconds": 0}, {"first_seconds": -1}, {"most_seconds": 0}]
)
def test_a_retry_that_cannot_be_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Retry(**options)


def test_what_is_no_json_is_refused_before_it_is_sent(scripted: Scripted, connect: Connect) -> None:
    with pytest.raises(InputError, match="object"):
        connect(scripted.url).predict(object())
    with pytest.raises(InputError, match="complex128"):
        connect(scripted.url).infer("m", {"x": [1j]})
    assert scripted.requests == []
