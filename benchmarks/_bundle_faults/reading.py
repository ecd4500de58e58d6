"""What a reader makes of a mutant."""

from __future__ import annotations

from pathlib import Path

from benchmarks._bundle_faults.victim import Mutant
from evertune.bundle import BundleStore
from evertune.errors import BundleError

# What an error names that is about no single file.
_CAUSES = ("no bundle", "golden rows of the bundle", "ONNX Runtime refuses the model: ", "the graph has inputs")


def read(mutant: Mutant, cache: Path) -> dict[str, str]:
    """Reads a mutant as server, gate and re-tune would: all of it, and then the model answers its golden rows."""
    trusted = {mutant.victim.public_key} if mutant.trusts else set()
    url = f"local://{mutant.store}" if mutant.remote else str(mutant.store)
    try:
        bundle = BundleStore(url, cache=cache, trusted=trusted).get(mutant.folder.name, fresh=True)
        bundle.attestation()
        bundle.measurements()
        _ = bundle.training_path
        bundle.verified_session()
    except BundleError as error:
        named = str(error.details.get("file", ""))
        has_cause = bool(error.fix) and ((named != "" and named in error.message) or error.message.startswith(_CAUSES))
        return {"outcome": "refused" if has_cause else "no cause", "message": error.message[:300]}
    except Exception as error:
        return {"outcome": "no cause", "message": f"{type(error).__name__}: {error}"[:300]}
    return {"outcome": "loaded", "message": ""}
