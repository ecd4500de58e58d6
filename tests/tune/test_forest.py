from __future__ import annotations

from typing import Any

import keras_tuner

from tune.forest import Known, RankForest


def space() -> list[Any]:
    hp = keras_tuner.HyperParameters()
    hp.Float("x", 0.0, 1.0)
    hp.Choice("kind", ["a", "b"])
    return list(hp.space)


def ranked(best: float, count: int = 30) -> list[Known]:
    points = [{"x": index / (count - 1), "kind": "ab"[index % 2]} for index in range(count)]
    points.sort(key=lambda values: abs(float(str(values["x"])) - best) + (values["kind"] == "b"))
    return [(values, index / (count - 1)) for index, values in enumerate(points)]


def near(forest: RankForest, known: list[Known], best: float) -> int:
    """How many of 40 suggestions are near it, and of the better kind."""
    found = [forest.suggest(space(), known) for _ in range(40)]
    assert None not in found
    return sum(abs(each["x"] - best) < 0.2 and each["kind"] == "a" for each in found if each is not None)


def test_what_ranked_high_is_suggested_and_a_tenth_is_drawn_at_random() -> None:
    assert near(RankForest(seed=0, startup=5), ranked(0.8), 0.8) >= 30


def test_without_an_earlier_search_nothing_is_said_before_enough_is_known() -> None:
    assert RankForest(seed=0, startup=5).suggest(space(), ranked(0.8)[:4]) is None
    assert RankForest(seed=0, startup=5, former=ranked(0.8)[:4]).suggest(space(), []) is None


def test_an_earlier_search_is_believed_at_first_and_less_when_more_is_known() -> None:
    former = ranked(0.2)
    assert near(RankForest(seed=0, startup=5, former=former), [], 0.2) >= 25
    assert near(RankForest(seed=0, startup=5, former=former), ranked(0.8, 100), 0.8) >= 25
