from __future__ import annotations

import json

import pytest

from evertune import errors
from evertune.errors import EvertuneError, InputError

_KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, EvertuneError)]


def test_every_kind_has_its_own_code_and_exit_code() -> None:
    assert len(_KINDS) > 10
    assert len({kind.code for kind in _KINDS}) == len(_KINDS)
    assert len({kind.exit_code for kind in _KINDS}) == len(_KINDS)


@pytest.mark.parametrize("kind", _KINDS)
def test_numbers_are_what_http_and_shells_understand(kind: type[EvertuneError]) -> None:
    assert 400 <= kind.http_status < 600
    assert 0 < kind.exit_code < 126  # above are the shell's own
    assert kind.__doc__


def test_the_body_of_a_response_says_what_was_wrong_and_what_to_do() -> None:
    error = InputError("input 'x' is missing", fix="Send 'x'.", missing=["x"])
    body = {"error": "input 'x' is missing", "code": "bad_input", "fix": "Send 'x'.", "details": {"missing": ["x"]}}
    assert json.loads(json.dumps(error.to_json())) == body
    assert str(error) == "input 'x' is missing Fix: Send 'x'."


def test_an_error_without_a_fix_has_none() -> None:
    assert str(EvertuneError("odd")) == "odd"
    assert EvertuneError("odd").to_json() == {"error": "odd", "code": "internal"}
