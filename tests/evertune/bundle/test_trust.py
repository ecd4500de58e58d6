"""Signatures: what is believed, and everything that is not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization as pem
from cryptography.hazmat.primitives.asymmetric import ec

from evertune.bundle import Bundle, BundleStore, Manifest
from evertune.bundle.canonical import to_canonical
from evertune.bundle.manifest import FileEntry
from evertune.bundle.trust import Signer
from evertune.errors import BundleError, SettingsError

WriteContent = Callable[..., Manifest]


class Keys:
    """Two key pairs."""

    def __init__(self, folder: Path) -> None:
        self.ours, self.theirs = folder / "ours.pem", folder / "theirs.pem"
        self.our_public, self.their_public = Signer.create(self.ours), Signer.create(self.theirs)


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path)


@pytest.fixture(params=["", "local://"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"{request.param}{tmp_path / 'store'}"


@pytest.fixture
def signed(content: Path, tmp_path: Path, keys: Keys) -> Bundle:
    """In a store that signs, with training files."""
    training = tmp_path / "weights"
    training.mkdir()
    (training / "weights.npz").write_bytes(b"weights")
    store = BundleStore(str(tmp_path / "store"), signing_key=keys.ours)
    return store.put(content, attestation={"accuracy": 0.9}, training=training)


def test_what_is_sealed_with_a_key_is_believed_where_that_key_is(
    url: str, content: Path, tmp_path: Path, keys: Keys
) -> None:
    sealed = BundleStore(url, cache=tmp_path / "a", signing_key=keys.ours).put(content, attestation={"study": "s"})
    for trusted in ({keys.our_public}, {keys.their_public, keys.our_public}):
        found = BundleStore(url, cache=tmp_path / "b", trusted=trusted).get(sealed.digest[:12])
        assert (found.digest, found.attestation()) == (sealed.digest, {"study": "s"})
    with pytest.raises(BundleError, match=f"is signed by {keys.our_public[:12]} only.*evertune sign"):
        BundleStore(url, cache=tmp_path / "b", trusted={keys.their_public}).get(sealed.digest)
    assert BundleStore(url, cache=tmp_path / "b").get(sealed.digest)  # nobody asked


def test_a_signature_does_not_change_the_digest(content: Path, tmp_path: Path, keys: Keys) -> None:
    signed = BundleStore(str(tmp_path / "one"), signing_key=keys.ours).put(content, attestation={})
    assert signed.digest == BundleStore(str(tmp_path / "two")).put(content, attestation={}).digest


def test_an_unsigned_bundle_is_refused_until_it_is_signed(url: str, content: Path, tmp_path: Path, keys: Keys) -> None:
    digest = BundleStore(url, cache=tmp_path / "a").put(content, attestation={}).digest
    served = BundleStore(url, cache=tmp_path / "b", trusted={keys.our_public})
    with pytest.raises(BundleError, match="is not signed") as raised:
        served.get(digest)
    assert raised.value.details["file"] == "signatures.json"
    assert BundleStore(url, cache=tmp_path / "a", signing_key=keys.ours).sign(digest[:8]) == keys.our_public
    assert served.get(digest).digest == digest  # though its cache held the unsigned one
    with pytest.raises(SettingsError, match="no signing key"):
        BundleStore(url, cache=tmp_path / "a").sign(digest)


def test_a_measurement_may_be_added_before_the_bundle_is_signed(
    url: str, content: Path, tmp_path: Path, keys: Keys
) -> None:
    """An export without a key, for a second target, where signatures are asked for."""
    store = BundleStore(url, cache=tmp_path / "a", trusted={keys.our_public})
    digest, record = store.put(content, attestation={}).digest, {"target": "cuda", "measured_at": 1.0}
    assert store.add_measurement(digest[:8], record).measurements() == [record]
    with pytest.raises(BundleError, match="is not signed"):
        store.get(digest)
    BundleStore(url, cache=tmp_path / "b", signing_key=keys.ours).sign(digest)
    assert store.get(digest).measurements() == [record]


def test_two_keys_may_sign_one_bundle_while_one_replaces_the_other(tmp_path: Path, signed: Bundle, keys: Keys) -> None:
    BundleStore(str(tmp_path / "store"), signing_key=keys.theirs).sign(signed.digest)
    for public in (keys.our_public, keys.their_public):
        assert BundleStore(str(tmp_path / "store"), trusted={public}).get(signed.digest)


def test_what_nobody_signed_makes_way_for_what_is_signed(url: str, content: Path, tmp_path: Path, keys: Keys) -> None:
    """Else an attestation that somebody planted under the same content would be vouched for."""
    BundleStore(url, cache=tmp_path / "a").put(content, attestation={"accuracy": 1.0})
    signing = BundleStore(url, cache=tmp_path / "b", signing_key=keys.ours, trusted={keys.our_public})
    assert signing.put(content, attestation={"accuracy": 0.9}).attestation() == {"accuracy": 0.9}
    assert signing.put(content, attestation={"accuracy": 0.8}).attestation() == {"accuracy": 0.9}  # signed: the first
    assert signing.get(Bundle.open(content).digest).attestation() == {"accuracy": 0.9}


def alter(bundle: Bundle, name: str, content: bytes) -> None:
    """Changes a file beside the content as somebody would who can hash, too."""
    (bundle.path / name).write_bytes(content)
    entries = json.loads((bundle.path / "extras.json").read_bytes())
    entries[name] = vars(FileEntry.of(content))
    (bundle.path / "extras.json").write_bytes(to_canonical(entries))


@pytest.mark.parametrize("name", ["attestation.json", "training/weights.npz", "training/more.npz"])
def test_an_altered_attestation_or_training_file_is_refused(
    tmp_path: Path, signed: Bundle, keys: Keys, name: str
) -> None:
    alter(signed, name, b'{"accuracy":1.0}')
    assert Bundle.open(signed.path).training_path is not None  # well hashed
    with pytest.raises(BundleError, match="not of this content and attestation"):
        BundleStore(str(tmp_path / "store"), trusted={keys.our_public}).get(signed.digest)


def test_training_files_changed_without_a_new_hash_are_refused(tmp_path: Path, signed: Bundle, keys: Keys) -> None:
    (signed.path / "training" / "weights.npz").write_bytes(b"weighty")
    with pytest.raises(BundleError, match=r"weights\.npz has 7 bytes or a hash other"):
        BundleStore(str(tmp_path / "store"), trusted={keys.our_public}).get(signed.digest)


def test_signatures_swapped_between_bundles_are_refused(
    tmp_path: Path, signed: Bundle, write: WriteContent, keys: Keys
) -> None:
    write(tmp_path / "other", labels=("sandal", "boot"))
    store = BundleStore(str(tmp_path / "store"), signing_key=keys.ours, trusted={keys.our_public})
    other = store.put(tmp_path / "other", attestation={"accuracy": 0.9})
    kept = {bundle: (bundle.path / "signatures.json").read_bytes() for bundle in (signed, other)}
    (signed.path / "signatures.json").write_bytes(kept[other])
    (other.path / "signatures.json").write_bytes(kept[signed])
    for bundle in (signed, other):
        with pytest.raises(BundleError, match="not of this content and attestation"):
            store.get(bundle.digest)
    shutil.copy(signed.path / "extras.json", other.path / "extras.json")  # with all that belongs to it
    shutil.copytree(signed.path / "training", other.path / "training")
    with pytest.raises(BundleError, match="not of this content and attestation"):
        store.get(other.digest)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda key, signature: {key: signature[:-2] + ("00" if signature[-2:] != "00" else "01")},
            "not of this content",
        ),
        (lambda key, signature: {key: "0" * 128}, "not of this content"),
        (lambda key, signature: {"0" * 64: signature}, "signed by 000000000000 only"),
        (lambda key, signature: {key: signature[:-1]}, "malformed signature"),
        (lambda key, signature: {key.upper(): signature}, "malformed signature"),
        (lambda key, signature: {key: 7}, "malformed signature"),
        (lambda key, signature: {}, "holds no signatures"),
        (lambda key, signature: {f"{index:064x}": signature for index in range(65)}, "holds no signatures"),
    ],
)
def test_forged_signatures_are_refused(
    tmp_path: Path, signed: Bundle, keys: Keys, change: Callable[[str, str], dict[str, object]], message: str
) -> None:
    path = signed.path / "signatures.json"
    signature = json.loads(path.read_bytes())["signatures"][keys.our_public]
    path.write_bytes(to_canonical({"signatures": change(keys.our_public, signature)}))
    with pytest.raises(BundleError, match=message):
        BundleStore(str(tmp_path / "store"), trusted={keys.our_public}).get(signed.digest)


def test_a_signature_by_a_link_or_without_end_is_refused(tmp_path: Path, signed: Bundle, keys: Keys) -> None:
    path, store = signed.path / "signatures.json", BundleStore(str(tmp_path / "store"), trusted={keys.our_public})
    path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "moved")
    with pytest.raises(BundleError, match="links are refused"):
        store.get(signed.digest)
    path.unlink()
    path.write_bytes(b" " * 200_000)
    with pytest.raises(BundleError, match="over 100000 bytes"):
        store.get(signed.digest)


def test_keys_that_others_may_read_or_that_are_none_are_not_used(tmp_path: Path, keys: Keys) -> None:
    assert keys.ours.stat().st_mode & 0o777 == 0o600
    keys.ours.chmod(0o640)
    with pytest.raises(SettingsError, match=r"open to others \(mode 640\).*chmod 600"):
        Signer(keys.ours)
    with pytest.raises(SettingsError, match="cannot be read"):
        Signer(tmp_path / "nowhere.pem")
    with pytest.raises(SettingsError, match="cannot write"):
        Signer.create(keys.theirs)  # a key is never overwritten
    other = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption()
    )
    for content in (b"", b"no key", other):
        keys.theirs.write_bytes(content)
        with pytest.raises(SettingsError, match="no Ed25519 private key"):
            Signer(keys.theirs)


def test_a_put_with_a_key_that_cannot_be_used_stores_nothing(content: Path, tmp_path: Path, keys: Keys) -> None:
    keys.ours.chmod(0o644)
    store = BundleStore(str(tmp_path / "store"), signing_key=keys.ours)
    with pytest.raises(SettingsError):
        store.put(content, attestation={})
    assert store.digests() == []
