from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from evertune.bundle import Bundle, BundleStore, FileEntry, Manifest
from evertune.bundle.canonical import from_canonical, to_canonical
from evertune.bundle.trust import Signer
from evertune.errors import BundleError

WriteContent = Callable[..., Manifest]

_PUT = """
import sys
from pathlib import Path
from evertune.bundle import BundleStore
BundleStore(sys.argv[1]).put(Path(sys.argv[2]), attestation={"study": "killed"})
"""


@pytest.fixture(params=["folder", "remote"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BundleStore:
    """A local store, and one that goes through fsspec (its file system is local, its protocol is not special)."""
    prefix = "" if request.param == "folder" else "local://"
    return BundleStore(f"{prefix}{tmp_path / 'store'}", cache=tmp_path / "cache")


def test_a_stored_bundle_is_found_by_digest_and_by_prefix(store: BundleStore, content: Path) -> None:
    bundle = store.put(content, attestation={"study": "s1", "accuracy": 0.9})
    assert bundle.digest == Bundle.open(content).digest
    assert store.digests() == [bundle.digest]
    for address in (bundle.digest, bundle.digest[:8], bundle.digest[:40]):
        found = store.get(address)
        assert (found.digest, found.attestation()) == (bundle.digest, {"accuracy": 0.9, "study": "s1"})
    assert found.training_path is None
    assert found.verified_session().provider == "CPUExecutionProvider"


def test_training_files_come_along(store: BundleStore, content: Path, tmp_path: Path) -> None:
    training = tmp_path / "weights"
    (training / "deep").mkdir(parents=True)
    (training / "weights.npz").write_bytes(b"w")
    (training / "deep" / "state.json").write_bytes(b"{}")
    folder = store.put(content, attestation={}, training=training).training_path
    assert folder is not None
    assert (folder / "weights.npz").read_bytes() == b"w"
    assert (folder / "deep" / "state.json").read_bytes() == b"{}"


def test_the_same_content_twice_keeps_the_first(store: BundleStore, content: Path) -> None:
    first = store.put(content, attestation={"run": 1})
    second = store.put(content, attestation={"run": 2})
    assert (second.digest, second.attestation()) == (first.digest, {"run": 1})
    assert len(store.digests()) == 1


def test_measurements_lie_beside_and_change_nothing(store: BundleStore, content: Path, tmp_path: Path) -> None:
    bundle = store.put(content, attestation={"run": 1})
    later, earlier = {"target": "cuda", "measured_at": 2.0}, {"target": "cpu", "measured_at": 1.0}
    for record in (later, earlier, later):
        store.add_measurement(bundle.digest[:8], record)
    again = store.get(bundle.digest)
    assert again.measurements() == [earlier, later]
    assert (again.digest, again.attestation()) == (bundle.digest, {"run": 1})
    elsewhere = BundleStore(store.url, cache=tmp_path / "elsewhere")
    assert elsewhere.get(bundle.digest).measurements() == [earlier, later]
    third = {"target": "cuda", "measured_at": 3.0}
    store.add_measurement(bundle.digest, third)
    assert elsewhere.get(bundle.digest, fresh=True).measurements() == [earlier, later, third]
    with pytest.raises(BundleError, match="no bundle"):
        store.add_measurement("0" * 64, later)
    (path,) = (each for each in (again.path / "measurements").iterdir() if b"cpu" in each.read_bytes())
    path.write_bytes(b"{}")
    with pytest.raises(BundleError, match="does not hash to its name"):
        store.get(bundle.digest).measurements()


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        ({"measured_at": 1.0}, "without a target"),
        ({"target": ["cpu"]}, "without a target"),
        *(({"target": "cpu", "measured_at": bad}, "measured_at") for bad in ("x", 10**400, [1], None, True)),
    ],
)
def test_a_record_that_is_no_measurement_is_refused(
    store: BundleStore, content: Path, record: dict[str, object], problem: str
) -> None:
    digest = store.put(content, attestation={}).digest
    with pytest.raises(BundleError, match=problem):
        store.add_measurement(digest, record)
    planted = to_canonical(record)
    folder = Path(store.url.removeprefix("local://")) / digest / "measurements"
    folder.mkdir()
    (folder / f"{FileEntry.of(planted).sha256}.json").write_bytes(planted)
    with pytest.raises(BundleError, match=rf"bundle file measurements/\w+\.json .*{problem}"):
        store.get(digest, fresh=True).measurements()


def test_a_bundle_that_is_replaced_keeps_its_sound_measurements(tmp_path: Path, content: Path) -> None:
    store, key = BundleStore(str(tmp_path / "store")), tmp_path / "key.pem"
    bundle, record = store.put(content, attestation={"run": 1}), {"target": "cuda", "measured_at": 1.0}
    store.add_measurement(bundle.digest, record)
    (bundle.path / "measurements" / f"{'0' * 64}.json").write_bytes(b"{}")
    Signer.create(key)
    again = BundleStore(store.url, signing_key=key).put(content, attestation={"run": 2})
    assert (again.attestation(), again.measurements()) == ({"run": 2}, [record])
    (again.content_path / "model.onnx").write_bytes(b"damaged")
    assert store.put(content, attestation={"run": 3}).measurements() == [record]


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, content: Path) -> None:
    url = f"local://{tmp_path / 'store'}"
    digest = BundleStore(url, cache=tmp_path / "cache").put(content, attestation={}).digest
    (tmp_path / "file").touch()
    with pytest.raises(BundleError, match=rf"bundle {digest[:12]} cannot be downloaded into .*file/cache.*Fix: "):
        BundleStore(url, cache=tmp_path / "file" / "cache").get(digest)


def test_unknown_ambiguous_and_malformed_addresses_are_told_apart(store: BundleStore, content: Path) -> None:
    with pytest.raises(BundleError, match=r"no bundle 00000000 in .*Fix: "):
        store.get("00000000")
    with pytest.raises(BundleError, match="no bundle 0000"):
        store.get("0" * 64)
    for bad in ("", "abc", "zzzzzzzz", "../" * 21 + "x", "a" * 65, "A" * 64):
        with pytest.raises(BundleError, match="no bundle digest"):
            store.get(bad)
    root = Path(store.url.removeprefix("local://"))
    for digest in ("1234567890" + "a" * 54, "1234567890" + "b" * 54):
        (root / digest / "content").mkdir(parents=True)
        (root / digest / "content" / "manifest.json").write_bytes(b"{}")
    with pytest.raises(BundleError, match="fits 2 bundles"):
        store.get("12345678")
    with pytest.raises(BundleError, match="expected 1234567890aa"):
        store.get("1234567890a")


def test_a_damaged_draft_is_not_stored(store: BundleStore, content: Path) -> None:
    (content / "reference.json").write_bytes(b"{}")
    with pytest.raises(BundleError, match=r"reference\.json"):
        store.put(content, attestation={})
    assert store.digests() == []


@pytest.mark.parametrize("bad", [{"accuracy": float("nan")}, {"path": object()}])
def test_an_attestation_that_is_not_json_is_refused(store: BundleStore, content: Path, bad: dict[str, object]) -> None:
    with pytest.raises(BundleError, match="attestation is not JSON"):
        store.put(content, attestation=bad)
    assert store.digests() == []


def test_links_in_the_training_folder_are_refused_and_nothing_is_left(tmp_path: Path, content: Path) -> None:
    training = tmp_path / "weights"
    training.mkdir()
    (training / "weights.npz").symlink_to("/etc/passwd")
    with pytest.raises(BundleError, match=r"weights\.npz is a link"):
        BundleStore(str(tmp_path / "store")).put(content, attestation={}, training=training)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    "name", ["a\\b", "x" * 201, "/".join(["x" * 180] * 6), "/".join("abcdefghijklmnopqrstu"), os.fsdecode(b"caf\xe9")]
)
def test_a_training_file_that_no_reader_would_take_is_not_stored(tmp_path: Path, content: Path, name: str) -> None:
    training = tmp_path / "weights"
    (training / name).parent.mkdir(parents=True)
    (training / name).write_bytes(b"w")
    with pytest.raises(BundleError, match="has a name that no reader of bundles takes"):
        BundleStore(str(tmp_path / "store")).put(content, attestation={}, training=training)
    assert not (tmp_path / "store").exists()


def test_a_damaged_bundle_is_refused_and_a_new_put_mends_it(tmp_path: Path, content: Path) -> None:
    store = BundleStore(str(tmp_path / "store"))
    bundle = store.put(content, attestation={"run": 1})
    bundle.model_path.write_bytes(b"rot")
    with pytest.raises(BundleError, match=r"model\.onnx"):
        store.get(bundle.digest)
    assert store.put(content, attestation={"run": 2}).attestation() == {"run": 2}
    assert os.listdir(tmp_path / "store") == [bundle.digest]


def test_a_damaged_download_is_fetched_again(tmp_path: Path, content: Path) -> None:
    store = BundleStore(f"local://{tmp_path / 'store'}", cache=tmp_path / "cache")
    bundle = store.put(content, attestation={})
    assert bundle.path.parent == tmp_path / "cache"
    bundle.model_path.write_bytes(b"rot")
    assert store.get(bundle.digest).model_bytes()


def test_a_bundle_whose_upload_did_not_end_does_not_exist(tmp_path: Path, content: Path) -> None:
    store = BundleStore(f"local://{tmp_path / 'store'}", cache=tmp_path / "cache")
    digest = Bundle.open(content).digest
    half = tmp_path / "store" / digest / "content"
    half.mkdir(parents=True)
    (half / "model.onnx").write_bytes(b"the manifest would come last")
    assert store.digests() == []
    with pytest.raises(BundleError, match="no bundle"):
        store.get(digest)
    assert store.put(content, attestation={}).digest == digest
    assert store.digests() == [digest]


def test_a_killed_put_leaves_nothing_half_written(tmp_path: Path, write: WriteContent) -> None:
    content, root = tmp_path / "draft", tmp_path / "store"
    digest = write(content, model_bytes=os.urandom(30_000_000)).digest
    root.mkdir()
    child = subprocess.Popen([sys.executable, "-c", _PUT, str(root), str(content)])
    deadline = time.monotonic() + 60
    while not os.listdir(root):  # the scratch folder has come
        assert child.poll() is None
        assert time.monotonic() < deadline
    child.send_signal(signal.SIGKILL)
    child.wait()
    store = BundleStore(str(root))
    assert store.digests() in ([], [digest])
    assert all(store.get(found).model_bytes() for found in store.digests())
    assert store.put(content, attestation={}).digest == digest


def test_what_killed_puts_left_is_swept_after_a_day(tmp_path: Path, content: Path) -> None:
    left = {age: tmp_path / "store" / f".put-{age}" for age in ("old", "new")}
    for folder in left.values():
        folder.mkdir(parents=True)
    yesterday = time.time() - 25 * 3600
    os.utime(left["old"], (yesterday, yesterday))
    BundleStore(str(tmp_path / "store")).put(content, attestation={})
    assert not left["old"].exists()
    assert left["new"].exists()


def test_two_processes_that_put_the_same_bundle_both_succeed(tmp_path: Path, content: Path) -> None:
    command = [sys.executable, "-c", _PUT, str(tmp_path / "store"), str(content)]
    children = [subprocess.Popen(command) for _ in range(2)]
    assert [child.wait(timeout=60) for child in children] == [0, 0]
    assert len(os.listdir(tmp_path / "store")) == 1


def test_an_unknown_protocol_says_what_to_install(tmp_path: Path, content: Path) -> None:
    with pytest.raises(BundleError, match=r"cannot be opened.*Install"):
        BundleStore("nosuchprotocol://bucket/x", cache=tmp_path).put(content, attestation={})
    assert BundleStore(f"file://{tmp_path / 'store'}").put(content, attestation={}).path.parent == tmp_path / "store"


def test_a_download_is_never_more_than_what_was_sealed(tmp_path: Path, content: Path) -> None:
    """What else lies in the store, under whatever name, is left there; what is larger than sealed is not read on."""
    url, far = f"local://{tmp_path / 'store'}", tmp_path / "store"
    digest = BundleStore(url, cache=tmp_path / "first").put(content, attestation={"run": 1}).digest
    (far / digest / "content" / "more.bin").write_bytes(b"x")
    (far / digest / "tool.so").write_bytes(b"x")
    bundle = BundleStore(url, cache=tmp_path / "second").get(digest)
    assert sorted(path.name for path in bundle.path.iterdir()) == ["attestation.json", "content", "extras.json"]
    assert not (bundle.content_path / "more.bin").exists()


@pytest.mark.parametrize("name", ["content/model.onnx", "content/manifest.json", "attestation.json", "extras.json"])
def test_a_hostile_object_store_is_refused_and_leaves_nothing(tmp_path: Path, content: Path, name: str) -> None:
    url, far = f"local://{tmp_path / 'store'}", tmp_path / "store"
    digest = BundleStore(url, cache=tmp_path / "first").put(content, attestation={"run": 1}).digest
    second = BundleStore(url, cache=tmp_path / "second")
    path = far / digest / name
    good = path.read_bytes()
    path.write_bytes(good + b"x")
    with pytest.raises(BundleError, match=Path(name).name.replace(".", r"\.")):
        second.get(digest)
    path.unlink()
    os.mkfifo(path)  # would never end
    with pytest.raises(BundleError, match="is no plain file"):
        second.get(digest)
    assert second.digests() == [digest]
    assert not (tmp_path / "second").exists() or os.listdir(tmp_path / "second") == []
    path.unlink()
    path.write_bytes(good)
    assert second.get(digest).attestation() == {"run": 1}


@pytest.mark.parametrize(
    "name",
    [
        *("../evil", "training/../../evil", "/etc/cron.d/x", "training", "content/x", "training//x", "training/a\\b"),
        "training/" + "é" * 200,  # 400 bytes: no file system has such a name
        "training" + "/é" * 400,
        "training" + ("/" + "x" * 200) * 5,
    ],
)
def test_extras_that_name_other_paths_are_refused(tmp_path: Path, content: Path, name: str) -> None:
    url, far = f"local://{tmp_path / 'store'}", tmp_path / "store"
    digest = BundleStore(url, cache=tmp_path / "first").put(content, attestation={"run": 1}).digest
    entries = from_canonical((far / digest / "extras.json").read_bytes(), "extras.json")
    (far / digest / "extras.json").write_bytes(to_canonical({**entries, name: vars(FileEntry.of(b"x"))}))
    with pytest.raises(BundleError, match=r"extras\.json lists the path"):
        BundleStore(url, cache=tmp_path / "second").get(digest)
    assert not (tmp_path / "evil").exists()


def test_a_file_that_is_a_folder_too_is_refused(tmp_path: Path, content: Path) -> None:
    url, far = f"local://{tmp_path / 'store'}", tmp_path / "store"
    digest = BundleStore(url, cache=tmp_path / "first").put(content, attestation={}).digest
    both = {name: vars(FileEntry.of(b"x")) for name in ("training/a", "training/a/b")}
    (far / digest / "extras.json").write_bytes(to_canonical(both))
    with pytest.raises(BundleError, match="'training/a/b' below a file"):
        BundleStore(url, cache=tmp_path / "second").get(digest)


@pytest.mark.parametrize("name", ["attestation.json", "training", "extras.json"])
def test_what_is_listed_beside_the_content_and_gone_is_missed(tmp_path: Path, content: Path, name: str) -> None:
    training = tmp_path / "weights"
    training.mkdir()
    (training / "weights.npz").write_bytes(b"w")
    bundle = BundleStore(str(tmp_path / "store")).put(content, attestation={}, training=training)
    (bundle.path / name).rename(tmp_path / "moved")
    with pytest.raises(BundleError, match=r"attestation\.json|weights\.npz|extras\.json"):
        assert bundle.attestation() is None or bundle.training_path is None


def test_what_belongs_to_no_bundle_and_linked_folders_are_refused(tmp_path: Path, content: Path) -> None:
    training = tmp_path / "weights"
    training.mkdir()
    (training / "weights.npz").write_bytes(b"w")
    store = BundleStore(str(tmp_path / "store"))
    bundle = store.put(content, attestation={}, training=training)
    (bundle.path / "training").rename(tmp_path / "moved")
    (bundle.path / "training").symlink_to(tmp_path / "moved")
    with pytest.raises(BundleError, match="training is a link"):
        _ = store.get(bundle.digest).training_path
    (bundle.path / "tool.so").write_bytes(b"x")
    with pytest.raises(BundleError, match=r"tool\.so does not belong to a bundle"):
        store.get(bundle.digest)
