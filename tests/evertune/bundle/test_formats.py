"""Older formats: a bundle that was sealed once loads for ever, under the address that it got then."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from evertune.bundle import Bundle, BundleStore
from evertune.bundle.formats import FORMAT_VERSION, migrate
from evertune.errors import BundleError

FORMAT_1 = Path(__file__).with_name("format_1")  # a whole store, sealed by the first Evertune
DIGEST_1 = "669c77d6ab73746011326a323c0d38af105eeaafba24c2a330188e17c223ebdf"


def test_a_bundle_of_format_1_loads_answers_and_keeps_its_digest() -> None:
    bundle = BundleStore(str(FORMAT_1)).get(DIGEST_1[:12])
    assert bundle.digest == bundle.manifest.digest == DIGEST_1
    assert json.loads(bundle.manifest.to_bytes())["format_version"] == 1
    assert (bundle.manifest.format_version, bundle.manifest.external_data) == (FORMAT_VERSION, ())
    assert bundle.manifest.recipe == "int8-static-matmul"
    assert bundle.attestation() == {"recipe": "int8-static-matmul", "lineage": {"study": "main"}}
    assert bundle.training_path is not None
    assert bundle.preprocessor is not None
    bundle.golden.check(bundle.verified_session().run(bundle.golden.inputs))


def test_putting_it_into_another_store_changes_nothing_of_it(tmp_path: Path) -> None:
    old = BundleStore(str(FORMAT_1)).get(DIGEST_1)
    new = BundleStore(f"local://{tmp_path / 'store'}", cache=tmp_path / "cache").put(old.content_path, attestation={})
    assert new.digest == DIGEST_1
    for path in old.content_path.iterdir():
        assert (new.content_path / path.name).read_bytes() == path.read_bytes()


def test_a_damaged_one_is_refused_like_any_other(tmp_path: Path) -> None:
    shutil.copytree(FORMAT_1 / DIGEST_1, tmp_path / DIGEST_1)
    model = tmp_path / DIGEST_1 / "content" / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"?")
    with pytest.raises(BundleError, match=r"model\.onnx"):
        Bundle.open(tmp_path / DIGEST_1)


def test_every_older_version_has_a_step_to_the_next() -> None:
    for version in range(1, FORMAT_VERSION + 1):
        assert migrate({"format_version": version}, "manifest.json")["format_version"] == FORMAT_VERSION
