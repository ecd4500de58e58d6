from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras_tuner

from tune.proposal import FINE_TUNE, Proposal
from tune.proposals import Proposals
from tune.record import TrialRecord


def space_of_steps() -> list[Any]:
    hps = keras_tuner.HyperParameters()
    hps.Float("x", 0.0, 0.4, step=0.1, default=0.3)
    hps.Boolean("flag")
    return list(hps.space)


def draw_all(
    enqueue: Sequence[Mapping[str, Any] | Proposal], space: list[Any], *, defaults: bool = True
) -> list[Proposal]:
    proposals = Proposals(enqueue, defaults=defaults, directions=["maximize"], max_trials=50, seed=0)
    found: list[Proposal] = []
    while (proposal := proposals.draw(str(len(found)), space)) is not None:
        proposals.mark(proposal.values, str(len(found)))
        found.append(proposal)
    return found


def test_the_queue_comes_first_then_the_defaults_then_the_sampler() -> None:
    found = draw_all([{"x": 0.1, "flag": True}, {"x": 0.2, "flag": True}], space_of_steps())
    assert [each.origin for each in found[:4]] == ["warm start", "warm start", "default", "sampler"]
    assert [each.values for each in found[:3]] == [
        {"x": 0.1, "flag": True},
        {"x": 0.2, "flag": True},
        {"x": 0.3, "flag": False},
    ]


def test_without_defaults_the_sampler_begins() -> None:
    assert draw_all([], space_of_steps(), defaults=False)[0].origin == "sampler"


def test_every_combination_is_drawn_once_and_then_nothing() -> None:
    found = draw_all([], space_of_steps())
    assert len(found) == 10
    assert len({(round(each.values["x"], 9), each.values["flag"]) for each in found}) == 10


def test_wishes_that_come_to_the_same_are_drawn_once() -> None:
    found = draw_all([{"x": 0.2}, {"x": 0.2, "gone": 1}, {"x": 9.0}, {"flag": 0}], space_of_steps())
    assert [each.origin for each in found[:3]] == ["warm start", "warm start", "sampler"]  # 9.0 became the default


def test_values_that_differ_only_where_they_do_not_count_are_drawn_once() -> None:
    hps = keras_tuner.HyperParameters()
    hps.Choice("kind", ["a", "b"])
    with hps.conditional_scope("kind", ["b"]):
        hps.Int("units", 1, 2)
    wishes = [{"kind": "a", "units": 1}, {"kind": "a", "units": 2}, {"kind": "b", "units": 2}]
    found = draw_all(wishes, list(hps.space))
    assert [dict(each.values) for each in found[:2]] == [{"kind": "a"}, {"kind": "b", "units": 2}]
    assert [each.origin for each in found] == ["warm start", "warm start", "sampler"]  # the only one that is left


def test_an_empty_space_has_one_proposal() -> None:
    assert draw_all([], []) == [Proposal({}, "default")]


def test_what_an_earlier_process_drew_is_neither_drawn_nor_queued_again() -> None:
    space = space_of_steps()
    proposals = Proposals([{"x": 0.1}], defaults=True, directions=["maximize"], max_trials=50, seed=0)
    for trial, proposal in enumerate([Proposal({"x": 0.1, "flag": False}, "warm start")]):
        proposals.repeat(str(trial), space, proposal)
        proposals.mark(proposal.values)
    following = proposals.draw("1", space)
    assert following == Proposal({"x": 0.3, "flag": False}, "default")


def test_a_fine_tuned_trial_and_its_twin_from_scratch_are_two() -> None:
    space, values = space_of_steps(), {"x": 0.1, "flag": True}
    queue: list[Any] = [Proposal(values, FINE_TUNE), Proposal(values, FINE_TUNE), values]
    found = draw_all(queue, space)
    assert [each.origin for each in found[:3]] == [FINE_TUNE, "warm start", "default"]
    assert len(found) == 11  # all ten combinations from scratch


def test_the_twin_is_still_to_come_where_the_process_died_between_the_two() -> None:
    space, values = space_of_steps(), {"x": 0.1, "flag": True}
    before = TrialRecord("0", values, "completed", score=0.9)
    proposals = Proposals(
        [Proposal(values, FINE_TUNE), values], defaults=False, directions=["maximize"], max_trials=50, seed=0
    )
    proposals.repeat("0", space, Proposal(values, FINE_TUNE))
    proposals.mark(values, "0")
    proposals.tell(before, [0.9], space)
    assert proposals.draw("1", space) == Proposal(values, "warm start")
