from __future__ import annotations

import asyncio
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import orjson
import pytest

from evertune.bundle import Bundle, BundleStore
from evertune.errors import BundleError, InputError, NotReadyError, UnknownModelError
from evertune.ledger import Ledger
from evertune.preprocessing import Preprocessor
from evertune.settings import Project
from serve.fleet import Fleet
from serve.friendly import write_response
from serve.live import Live
from serve.loading import Loader
from serve.recorder import Recorder
from serve.reply import Reply

MakeBundle = Callable[..., Bundle]


@dataclass
class Champions:
    """A registry that can be away."""

    ledger: Ledger
    away: bool = False

    def models(self) -> list[str]:
        if self.away:
            raise ConnectionError("the database is away")
        return self.ledger.registry.models()

    def champion(self, model: str) -> Any:
        return self.ledger.registry.champion(model)


@dataclass
class Place:
    """A fleet over a real registry and a real store."""

    project: Project
    champions: Champions
    make_bundle: MakeBundle
    loads: list[str] = field(default_factory=list)
    swaps: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = BundleStore(self.project.bundle_url)
        self.pool = ThreadPoolExecutor(1)
        self.loader = Loader(self.store, self.project.settings, _recorder, self.pool)
        self.fleet = Fleet(self.champions, self._load, lambda model, _, outcome: self.swaps.append((model, outcome)))

    def _load(self, model: str, digest: str) -> Live:
        self.loads.append(digest)
        return self.loader.load(model, digest)

    def promote(self, seed: int, model: str = "shoes", *, damaged: bool = False) -> str:
        bundle = self.make_bundle(self.store, seed, model=model)
        if damaged:
            content = bytearray(bundle.model_path.read_bytes())
            content[100] ^= 1
            bundle.model_path.write_bytes(content)
        self.champions.ledger.registry.promote(model, bundle.digest, reason="test", actor="test")
        return bundle.digest

    def refresh(self) -> dict[str, str]:
        asyncio.run(self.fleet.refresh())
        return {model: live.digest for model, live in self.fleet.live.items()}


def _recorder(bundle: Bundle) -> Recorder:
    return Recorder(
        bundle,
        append=lambda _: None,
        count=lambda *_: None,
        drop=lambda *_: None,
        clock=time.time,
        draw=random.random,
        payload_share_ratio=1.0,
    )


@pytest.fixture
def place(project: Project, make_bundle: MakeBundle) -> Iterator[Place]:
    with Ledger.open(project.ledger_url) as ledger:
        made = Place(project, Champions(ledger), make_bundle)
        yield made
        made.pool.shutdown()


def test_without_a_champion_nothing_is_ready(place: Place) -> None:
    assert place.refresh() == {}
    for ask in (place.fleet.only, lambda: place.fleet.get("shoes")):
        with pytest.raises(NotReadyError, match="no champion"):
            ask()


def test_it_follows_the_registry_and_loads_each_champion_once(place: Place) -> None:
    first = place.promote(1)
    for _ in range(3):
        assert place.refresh() == {"shoes": first}
    second = place.promote(2)
    assert place.refresh() == {"shoes": second}
    place.champions.ledger.registry.rollback("shoes", reason="test", actor="test")
    assert place.refresh() == {"shoes": first}
    assert place.loads == [first, second, first]
    assert place.swaps == [("shoes", "swapped")] * 3


def test_a_champion_that_does_not_load_keeps_the_old_one_and_is_not_tried_at_each_look(place: Place) -> None:
    good = place.promote(1)
    place.refresh()
    bad = place.promote(2, damaged=True)
    for _ in range(5):
        assert place.refresh() == {"shoes": good}
    assert place.loads == [good, bad]
    assert place.swaps[-1] == ("shoes", "failed")
    failure = place.fleet.failures["shoes"]
    assert (failure.digest, failure.attempts) == (bad, 1)
    assert "model.onnx" in failure.error["error"]
    better = place.promote(3)  # another one need not wait
    assert place.refresh() == {"shoes": better}
    assert place.fleet.failures == {}


def test_a_champion_that_no_trusted_key_has_signed_is_not_served(place: Place) -> None:
    signed = place.promote(1)
    place.refresh()
    asking = BundleStore(place.project.bundle_url, trusted={"0" * 64})
    place.loader = Loader(asking, place.project.settings, _recorder, place.pool)
    place.promote(2)
    assert place.refresh() == {"shoes": signed}
    assert "is not signed" in place.fleet.failures["shoes"].error["error"]


def test_a_rollback_to_what_still_serves_forgets_the_failure(place: Place) -> None:
    place.promote(1)
    place.refresh()
    place.promote(2, damaged=True)
    place.refresh()
    place.champions.ledger.registry.rollback("shoes", reason="test", actor="test")
    place.refresh()
    assert place.fleet.failures == {}
    assert len(place.loads) == 2


def test_a_first_champion_that_does_not_load_says_what_to_do(place: Place) -> None:
    place.promote(1, damaged=True)
    assert place.refresh() == {}
    with pytest.raises(NotReadyError, match=r"does not load.*rollback"):
        place.fleet.get("shoes")


def test_one_model_that_does_not_load_does_not_hinder_another(place: Place) -> None:
    place.promote(1, "hats", damaged=True)
    shoes = place.promote(2, "shoes")
    assert place.refresh() == {"shoes": shoes}


def test_while_the_registry_is_away_it_serves_what_it_has(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    digest = place.promote(1)
    place.refresh()
    place.champions.away = True
    for _ in range(3):
        assert place.refresh() == {"shoes": digest}
    assert caplog.text.count("does not answer") == 1
    place.champions.away = False
    newer = place.promote(2)
    assert place.refresh() == {"shoes": newer}


def test_of_several_models_one_must_be_named(place: Place) -> None:
    place.promote(1, "hats")
    place.promote(1, "shoes")
    place.refresh()
    assert place.fleet.get("hats").model == "hats"
    with pytest.raises(InputError, match=r"hats.*shoes"):
        place.fleet.only()
    with pytest.raises(UnknownModelError, match="'coats'"):
        place.fleet.get("coats")


def test_settings_say_which_models_are_served_and_which_one_is_meant(place: Place) -> None:
    place.fleet = Fleet(place.champions, place._load, lambda *_: None, names=("shoes", "hats"), default="hats")
    place.promote(1, "coats")
    shoes = place.promote(2, "shoes")
    assert place.refresh() == {"shoes": shoes}
    assert not place.fleet.is_ready
    assert place.fleet.missing == ["hats"]
    for ask in (place.fleet.only, lambda: place.fleet.get("hats")):
        with pytest.raises(NotReadyError, match="no champion of 'hats' yet"):
            ask()
    with pytest.raises(UnknownModelError, match="'coats'"):
        place.fleet.get("coats")
    place.promote(3, "hats")
    place.refresh()
    assert place.fleet.is_ready
    assert place.fleet.only().model == "hats"
    assert [live.model for live in place.fleet.in_order] == ["hats", "shoes"]
    assert len({live.batcher for live in place.fleet.live.values()}) == 2


def test_a_model_that_loads_for_ever_does_not_keep_others_waiting(place: Place) -> None:
    stuck = threading.Event()

    def load(model: str, digest: str) -> Live:
        if model == "hats":
            assert stuck.wait(30)
        return place.loader.load(model, digest)

    place.fleet = Fleet(place.champions, load, lambda *_: None)
    place.promote(1, "hats")
    first, second = place.promote(1, "shoes"), place.make_bundle(place.store, 2).digest

    async def run() -> None:
        following = asyncio.create_task(place.fleet.follow(0.01))
        try:
            for digest in (first, second):
                place.champions.ledger.registry.promote("shoes", digest, reason="test", actor="test")
                async with asyncio.timeout(30):
                    while "shoes" not in place.fleet.live or place.fleet.get("shoes").digest != digest:
                        await asyncio.sleep(0.01)
            assert "hats" not in place.fleet.live
        finally:
            stuck.set()
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    asyncio.run(run())


def test_a_preprocessor_that_does_not_run_here_keeps_its_bundle_out(
    place: Place, raw_preprocessor: Preprocessor, monkeypatch: pytest.MonkeyPatch, put_raw: Callable[..., Bundle]
) -> None:
    bundle = put_raw(place.store, raw_preprocessor)
    assert place.loader.load("wardrobe", bundle.digest).raw is not None
    monkeypatch.setitem(sys.modules, "tokenizers", None)  # as where the package is missing
    with pytest.raises(BundleError, match=r"does not run here.*tokenizers"):
        place.loader.load("wardrobe", bundle.digest)


def test_a_bundle_of_another_model_is_not_loaded(place: Place) -> None:
    digest = place.make_bundle(place.store, 1, model="hats").digest
    with pytest.raises(BundleError, match="'hats', not 'shoes'"):
        place.loader.load("shoes", digest)


def test_requests_that_hold_the_old_version_end_on_it(place: Place) -> None:
    old_digest = place.promote(1)
    place.refresh()
    rows = np.arange(32, dtype=np.uint8).reshape(2, 4, 4)

    async def run() -> list[Any]:
        old = place.fleet.get("shoes")
        place.promote(2)
        await place.fleet.refresh()
        new = place.fleet.get("shoes")
        assert old is not new
        answers = []
        for live in (old, new):
            request = live.reader.read(
                {"inputs": [{"name": "image", "shape": [2, 4, 4], "datatype": "UINT8", "data": rows.ravel().tolist()}]}
            )
            encode = partial(live.writer.write, request)
            reply = await live.predict(request.inputs, request.rows, key_id="", receive=_never, encode=encode)
            answers.append((live, orjson.loads(reply.body)))
        return answers

    for live, answer in asyncio.run(run()):
        assert answer["parameters"]["digest"] == live.digest
        expected = live.bundle.session().run({"image": rows})["probabilities"]
        np.testing.assert_allclose(np.reshape(answer["outputs"][0]["data"], (2, 3)), expected, rtol=1e-5)
    assert place.loads[0] == old_digest


async def _never() -> Any:
    raise AssertionError("nobody waits long enough to be watched")


def test_an_answer_for_people(place: Place) -> None:
    place.promote(1)
    place.refresh()
    live = place.fleet.only()
    rows = np.random.default_rng(0).integers(0, 250, (5, 4, 4), dtype=np.uint8)

    async def run() -> Reply:
        encode = partial(write_response, live)
        return await live.predict({"image": rows}, 5, key_id="", receive=_never, encode=encode)

    answer = orjson.loads(asyncio.run(run()).body)
    probabilities = live.bundle.session().run({"image": rows})["probabilities"]
    assert [one["label"] for one in answer["predictions"]] == [live.labels[row] for row in probabilities.argmax(axis=1)]
    assert [one["id"].rsplit(":", 1)[1] for one in answer["predictions"]] == ["0", "1", "2", "3", "4"]
