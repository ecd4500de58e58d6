from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import bentoml
import pytest
from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml._internal.models.model import ModelStore

from evertune.bundle import Bundle, BundleStore
from serve.alias import alias

MakeBundle = Callable[..., Bundle]


@pytest.fixture
def store(tmp_path: Path) -> BundleStore:
    return BundleStore(str(tmp_path / "bundles"))


@pytest.fixture(autouse=True)
def home(tmp_path: Path) -> Iterator[None]:
    """A BentoML of the test's own, not the user's."""
    (tmp_path / "models").mkdir()
    BentoMLContainer.model_store.set(ModelStore(tmp_path / "models"))
    yield
    BentoMLContainer.model_store.reset()


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("shoes", "shoes"),
        ("Shoes & Söhne", "shoes-s-hne"),
        ("-_-", "model"),
        ("x" * 200, "x" * 50),
        ("x" * 49 + "-y", "x" * 49),
    ],
)
def test_a_tag_has_at_most_63_characters_and_those_that_bentoml_takes(
    store: BundleStore, make_bundle: MakeBundle, model: str, name: str
) -> None:
    bundle = make_bundle(store, 1, model=model)
    tag = alias(bundle, store.url)
    assert tag == f"{name}:{bundle.digest[:12]}"
    assert len(tag) <= 63
    assert str(bentoml.models.get(tag).tag) == tag


def test_the_entry_names_its_bundle_and_has_the_model(store: BundleStore, make_bundle: MakeBundle) -> None:
    bundle = make_bundle(store, 1)
    entry = bentoml.models.get(alias(bundle, "s3://bucket/bundles"))
    assert entry.info.metadata["digest"] == bundle.digest
    assert entry.info.metadata["bundle_url"] == "s3://bucket/bundles"
    assert Path(entry.path_of("model.onnx")).read_bytes() == bundle.model_bytes()


def test_entering_it_again_changes_nothing(store: BundleStore, make_bundle: MakeBundle) -> None:
    bundle = make_bundle(store, 1)
    assert alias(bundle, store.url) == alias(bundle, store.url)
    assert len(bentoml.models.list()) == 1
    alias(make_bundle(store, 2), store.url)
    assert len(bentoml.models.list()) == 2
