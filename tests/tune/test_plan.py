from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tune.plan import Plan


def test_a_plan_reaches_a_worker_as_json(make_plan: Callable[..., Plan]) -> None:
    for plan in (make_plan(), make_plan(warm_weights=Path("/somewhere/weights.npz"))):
        assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_each_trial_of_each_search_has_its_own_seed(make_plan: Callable[..., Plan]) -> None:
    seeds = {make_plan(seed=seed).trial_seed(str(trial)) for seed in range(4) for trial in range(50)}
    assert len(seeds) == 200
    assert make_plan().trial_seed("3") == make_plan().trial_seed("3")
