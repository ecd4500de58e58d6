from __future__ import annotations

import itertools
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evertune.errors import RegistryError
from evertune.ledger import Ledger

A, B, C = ("a" * 64, "b" * 64, "c" * 64)


def promote(ledger: Ledger, *digests: str, model: str = "shoes") -> None:
    for digest in digests:
        ledger.registry.promote(model, digest, reason="better", evidence={"p_value": 0.01}, actor="job 1")


def champion(ledger: Ledger, model: str = "shoes") -> str | None:
    found = ledger.registry.champion(model)
    return None if found is None else found.digest


def test_the_last_promoted_bundle_is_champion(ledger: Ledger) -> None:
    assert ledger.registry.champion("shoes") is None
    promote(ledger, A, B)
    promote(ledger, C, model="boots")
    found = ledger.registry.champion("shoes")
    assert found is not None
    assert (found.digest, found.role, found.share_ratio, found.restores) == (B, "champion", 1.0, None)
    assert (found.reason, found.evidence, found.actor, found.decided_at) == ("better", {"p_value": 0.01}, "job 1", 1000)
    assert ledger.registry.models() == ["boots", "shoes"]


def test_a_second_rollback_goes_further_back_not_forth(ledger: Ledger) -> None:
    promote(ledger, A, B, C)
    for expected in (B, A):
        back = ledger.registry.rollback("shoes", reason="worse live", actor="me")
        assert back.digest == champion(ledger) == expected
    with pytest.raises(RegistryError, match="no champion before"):
        ledger.registry.rollback("shoes", reason="once more", actor="me")
    assert champion(ledger) == A
    promote(ledger, C)
    assert ledger.registry.rollback("shoes", reason="worse again", actor="me").digest == A
    history = ledger.registry.history("shoes")
    assert [deployment.digest[0] for deployment in history] == list("abcbaca")
    assert history[3].restores == history[1].sequence
    assert history[3].evidence == {"replaces": C}


def test_promoting_the_champion_again_changes_nothing(ledger: Ledger) -> None:
    promote(ledger, A, B, B)
    assert len(ledger.registry.history("shoes")) == 2
    assert ledger.registry.rollback("shoes", reason="worse", actor="me").digest == A


def test_a_model_without_history_has_nothing_to_go_back_to(ledger: Ledger) -> None:
    with pytest.raises(RegistryError, match="nobody has no champion"):
        ledger.registry.rollback("nobody", reason="why not", actor="me")


@pytest.mark.parametrize("digest", ["", "a" * 63, "A" * 64, "../" + "a" * 61, "a" * 8])
def test_what_is_no_whole_digest_is_refused(ledger: Ledger, digest: str) -> None:
    with pytest.raises(RegistryError, match="no bundle digest"):
        ledger.registry.promote("shoes", digest, reason="", actor="me")


_model_names = (f"model-{i}" for i in itertools.count())


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from("abc<"), max_size=12))
def test_any_history_behaves_like_a_stack(ledger: Ledger, steps: list[str]) -> None:
    model = next(_model_names)
    stack: list[str] = []
    for step in steps:
        if step != "<":
            promote(ledger, step * 64, model=model)
            stack += [] if stack[-1:] == [step] else [step]
        elif len(stack) > 1:
            stack.pop()
            ledger.registry.rollback(model, reason="x", actor="me")
        else:
            with pytest.raises(RegistryError):
                ledger.registry.rollback(model, reason="x", actor="me")
        assert champion(ledger, model) == (stack[-1] * 64 if stack else None)


_ROLL = "import sys; from evertune.ledger import Ledger\nwith Ledger.open(sys.argv[1]) as ledger:\n"


def test_rollbacks_of_two_processes_at_once_are_two_rollbacks(url: str, ledger: Ledger) -> None:
    promote(ledger, A, B, C)
    code = _ROLL + "    ledger.registry.rollback('shoes', reason='x', actor='me')"
    children = [subprocess.Popen([sys.executable, "-c", code, url]) for _ in range(2)]
    assert [child.wait(timeout=60) for child in children] == [0, 0]
    assert champion(ledger) == A


def test_a_decision_about_a_champion_that_serves_no_more_is_refused(ledger: Ledger) -> None:
    promote(ledger, A)
    compared = ledger.registry.champion("shoes")
    assert compared is not None
    promote(ledger, B)
    with pytest.raises(RegistryError, match=f"deployment {compared.sequence} does not serve any more"):
        ledger.registry.promote("shoes", C, reason="better than A", actor="job 1", replaces=compared.sequence)
    with pytest.raises(RegistryError, match="does not serve any more"):
        ledger.registry.rollback("shoes", reason="worse than before", actor="job 1", replaces=compared.sequence)
    assert champion(ledger) == B
    now = ledger.registry.champion("shoes")
    assert now is not None
    ledger.registry.promote("shoes", C, reason="better than B", actor="job 2", replaces=now.sequence)
    assert champion(ledger) == C
