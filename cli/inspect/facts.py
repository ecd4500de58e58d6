"""Everything that a bundle and what lies beside it say."""

from __future__ import annotations

from typing import Any

from cli.inspect.graph_facts import graph_facts
from cli.pending import still_pending
from evertune.bundle import Bundle, trust
from evertune.bundle.canonical import from_canonical
from evertune.errors import BundleError


def bundle_facts(bundle: Bundle) -> dict[str, Any]:
    """A bundle as plain JSON; each file is hashed while it is read, and none is run.

    Raises:
        BundleError: A file was changed since it was sealed or stored.
    """
    manifest = bundle.manifest
    attestation = bundle.attestation()
    return {
        "digest": bundle.digest,
        "path": str(bundle.path),
        "model": manifest.model,
        "kind": manifest.kind,
        "recipe": manifest.recipe,
        "format_version": manifest.format_version,
        "labels": list(manifest.labels),
        "parameters": manifest.parameters,
        "signature": manifest.signature.to_json(),
        "preprocessing": manifest.preprocessing,
        "files": {name: vars(entry) for name, entry in manifest.files.items()},
        "verified": _verified(bundle, attestation is not None),
        "graph": graph_facts(bundle.model_bytes()),
        "reference": bundle.reference.to_json(),
        "calibration_rows": bundle.calibration.rows,
        "golden": {
            "rows": len(next(iter(bundle.golden.inputs.values()))),
            "absolute_tolerance": bundle.golden.absolute_tolerance,
        },
        "training_files": _training(bundle),
        "signed_by": signers(bundle),
        "measurements": bundle.measurements(),
        "pending": still_pending(bundle),
        "attestation": attestation,
    }


def signers(bundle: Bundle) -> dict[str, bool]:
    """Public keys in `signatures.json`, and whether each signature is of this content and attestation."""
    content = bundle.signatures()
    keys = [] if content is None else list(from_canonical(content, trust.FILE_NAME).get("signatures", {}))
    return {key: _is_of_it(bundle, key) for key in keys}


def _is_of_it(bundle: Bundle, key: str) -> bool:
    try:
        bundle.check_trust({key})
    except BundleError:
        return False
    return True


def _verified(bundle: Bundle, attested: bool) -> dict[str, Any]:
    """Which files were held against which hash; a file that does not fit has raised before."""
    training = _training(bundle)
    beside = [*(["attestation.json"] if attested else []), *(f"training/{name}" for name in training)]
    return {"content": ["manifest.json", *sorted(bundle.manifest.files)], "beside": beside}


def _training(bundle: Bundle) -> list[str]:
    folder = bundle.training_path
    if folder is None:
        return []
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
