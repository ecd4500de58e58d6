from __future__ import annotations

import copy
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.init_command import Preset, _data
from evertune.errors import InputError
from evertune.preprocessing import Text

MESSAGES = dict(_data(Preset.TEXT))["messages.csv"].decode().splitlines()[1:]  # real ones
STEP = Text.fit({"text": MESSAGES}, "text", length=12, vocabulary=600)


def test_the_first_tokens_count_and_the_rest_is_padding() -> None:
    found = STEP.transform({"text": ["hi", "hi " * 100, "", "  "]})
    assert found.dtype == np.int32
    assert found.shape == (4, 12)
    assert found[0, 0] > 1
    assert (found[0, 1:] == 0).all()
    assert (found[1] > 1).all()
    assert not found[2].any()


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=4))
@settings(deadline=None)
def test_any_text_has_tokens_below_the_size_of_the_embedding(texts: list[str]) -> None:
    found = STEP.transform({"text": texts})
    assert ((found >= 0) & (found < STEP.size)).all()
    assert not (found == 1).any()  # none is unknown: bytes are the alphabet
    assert (found == Text.from_json(json.loads(json.dumps(STEP.to_json()))).transform({"text": texts})).all()


def test_a_text_that_looks_like_a_special_token_is_text() -> None:
    assert STEP.transform({"text": ["[PAD]"]})[0, :3].all()


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    together = STEP.transform({"text": MESSAGES[:50]})
    alone = np.concatenate([STEP.transform({"text": [text]}) for text in MESSAGES[:50]])
    np.testing.assert_array_equal(together, alone)


def test_two_processes_train_the_same_tokenizer() -> None:
    code = (
        "import hashlib, json, sys; from evertune.preprocessing import Text; "
        "step = Text.fit({'text': json.load(sys.stdin)}, 'text', length=12, vocabulary=600); "
        "print(hashlib.sha256(json.dumps(step.to_json(), sort_keys=True).encode()).hexdigest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(MESSAGES), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == hashlib.sha256(json.dumps(STEP.to_json(), sort_keys=True).encode()).hexdigest()


@pytest.mark.parametrize("bad", [None, 7, ["a"], b"text", "\ud800"])
def test_what_is_no_text_is_refused_by_name_and_row(bad: Any) -> None:
    with pytest.raises(InputError, match=r"column 'text', row 1"):
        STEP.transform({"text": ["good", bad]})


def _split_by_pattern(data: dict[str, Any]) -> None:
    data["tokenizer"]["pre_tokenizer"] = {
        "type": "Sequence",
        "pretokenizers": [{"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Removed", "invert": False}],
    }


def _replace(data: dict[str, Any]) -> None:
    data["tokenizer"]["normalizer"] = {"type": "Replace", "pattern": {"Regex": "(a+)+$"}, "content": ""}


def _no_ids(data: dict[str, Any]) -> None:
    data["tokenizer"]["model"]["vocab"] = {"a": -1}


def _huge_id(data: dict[str, Any]) -> None:
    data["tokenizer"]["model"]["vocab"]["a"] = 2**40


def _other_keys(data: dict[str, Any]) -> None:
    data["tokenizer"]["script"] = "import os"


def _broken_model(data: dict[str, Any]) -> None:
    data["tokenizer"]["model"] = {"type": "Wizard", "vocab": {"a": 0}}


def _long(data: dict[str, Any]) -> None:
    data["length"] = 10**9


@pytest.mark.parametrize(
    "forge",
    [_split_by_pattern, _replace, _no_ids, _huge_id, _other_keys, _broken_model, _long],
    ids=lambda f: f.__name__,
)
def test_forged_data_is_refused_before_anything_is_built(forge: Callable[[dict[str, Any]], None]) -> None:
    data = copy.deepcopy(STEP.to_json())
    forge(data)
    with pytest.raises(ValueError, match=r"tokenizer|tokens"):
        Text.from_json(data)
