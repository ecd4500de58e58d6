"""Ed25519 signatures of bundles: who vouches for one, and whom a project believes.

What is signed is the digest, and so every content file, and the SHA-256 of `extras.json`, and so attestation and
training files. `signatures.json` lies beside them and holds one signature a key.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evertune.bundle.canonical import damaged, from_canonical, to_canonical
from evertune.errors import BundleError, SettingsError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FILE_NAME = "signatures.json"
PUBLIC_KEY = re.compile(r"[0-9a-f]{64}")
MOST_BYTES = 100_000
_SIGNATURE = re.compile(r"[0-9a-f]{128}")
_PURPOSE = b"evertune bundle signature 1\n"  # so that a signature made for anything else is none here
_MOST_SIGNATURES = 64


class Signer:
    """A private key that seals what it signs. Make one with `evertune key signing`.

    Args:
        path: PEM file (PKCS #8, not encrypted), readable by its owner alone.

    Raises:
        SettingsError: The file is missing, open to others, or holds no Ed25519 key.
    """

    def __init__(self, path: Path) -> None:
        self._key = _load(path)

    @property
    def public_key(self) -> str:
        """64 hex digits."""
        return self._key.public_key().public_bytes_raw().hex()

    def sign(self, digest: str, extras: bytes) -> bytes:
        """The file `signatures.json`.

        Args:
            digest: Of the bundle.
            extras: Its `extras.json`.
        """
        signature = self._key.sign(_message(digest, extras)).hex()
        return to_canonical({"signatures": {self.public_key: signature}})

    @staticmethod
    def create(path: Path) -> str:
        """Writes a new private key, readable by its owner alone, and returns the public one.

        Raises:
            SettingsError: There is a file of that name already, or it cannot be written.
        """
        from cryptography.hazmat.primitives import serialization as pem
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        key = Ed25519PrivateKey.generate()
        content = key.private_bytes(pem.Encoding.PEM, pem.PrivateFormat.PKCS8, pem.NoEncryption())
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
        except OSError as error:
            raise SettingsError(f"cannot write {path}: {error.strerror}", fix="Give the path of a new file.") from error
        return key.public_key().public_bytes_raw().hex()


def check_trust(digest: str, extras: bytes, signatures: bytes | None, trusted: Collection[str]) -> None:
    """Refuses a bundle that none of the trusted keys has signed.

    Args:
        digest: Checked.
        extras: The bundle's `extras.json`.
        signatures: Its `signatures.json`; None where it has none.
        trusted: Public keys, 64 hex digits each; several while one replaces another.

    Raises:
        BundleError: Unsigned, signed by others only, or the signature is of another bundle or attestation.
    """
    if signatures is None:
        raise _refuse(digest, "is not signed")
    found = _parse(signatures)
    known = sorted(set(found) & set(trusted))
    if not known:
        raise _refuse(digest, f"is signed by {', '.join(key[:12] for key in sorted(found)) or 'nobody'} only")
    if not any(_is_valid(key, found[key], _message(digest, extras)) for key in known):
        raise _refuse(digest, f"has a signature of {known[0][:12]} that is not of this content and attestation")


def merge(old: bytes | None, new: bytes) -> bytes:
    """Both files' signatures; the newer of one key wins."""
    return to_canonical({"signatures": {**({} if old is None else _parse(old)), **_parse(new)}})


def _parse(content: bytes) -> dict[str, str]:
    if len(content) > MOST_BYTES:
        raise damaged(FILE_NAME, f"has over {MOST_BYTES} bytes")
    data = from_canonical(content, FILE_NAME)
    found: Any = data.get("signatures")
    if set(data) != {"signatures"} or not isinstance(found, dict) or not 1 <= len(found) <= _MOST_SIGNATURES:
        raise damaged(FILE_NAME, "holds no signatures")
    for key, signature in found.items():
        if not PUBLIC_KEY.fullmatch(key) or not isinstance(signature, str) or not _SIGNATURE.fullmatch(signature):
            raise damaged(FILE_NAME, f"holds a malformed signature of {key[:80]!r}")
    return found


def _message(digest: str, extras: bytes) -> bytes:
    return _PURPOSE + f"{digest}\n{hashlib.sha256(extras).hexdigest()}\n".encode()


def _is_valid(public_key: str, signature: str, message: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):  # ValueError: no point of the curve
        return False
    return True


def _refuse(digest: str, problem: str) -> BundleError:
    return BundleError(
        f"bundle {digest[:12]} {problem}: {FILE_NAME} has nothing that bundles.require_signature_of asks for",
        fix="Check where it comes from. If you vouch for it, sign it: evertune sign " + digest[:12],
        file=FILE_NAME,
        digest=digest,
    )


def _load(path: Path) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        with open(path, "rb") as file:
            mode, content = os.fstat(file.fileno()).st_mode, file.read(10_000)
    except OSError as error:
        fix = "Make one with `evertune key signing`, or correct bundles.signing_key."
        raise SettingsError(f"the signing key {path} cannot be read: {error.strerror}", fix=fix) from error
    if stat.S_IMODE(mode) & 0o077:
        problem = f"the signing key {path} is open to others (mode {stat.S_IMODE(mode):o})"
        raise SettingsError(problem, fix=f"chmod 600 {path}; if others may have read it, make a new one.")
    try:
        key = load_pem_private_key(content, password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError(f"it holds a {type(key).__name__}")
    except (ValueError, TypeError) as error:  # TypeError: it asks for a password
        problem = f"{path} holds no Ed25519 private key in PEM without a password"
        raise SettingsError(problem, fix="Make one with `evertune key signing`.") from error
    return key
