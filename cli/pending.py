"""What was left to be measured on another machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from evertune.bundle import Bundle


def attested_for(bundle: Bundle, target: str) -> dict[str, Any]:
    """The attestation, with the candidates of the export for `target` where that came later."""
    attestation = bundle.attestation() or {}
    if attestation.get("target", "cpu") == target:
        return attestation
    exports = [record for record in bundle.measurements() if "candidates" in record and record["target"] == target]
    return {**attestation, **(exports[-1] if exports else {})}


def still_pending(bundle: Bundle) -> list[dict[str, Any]]:
    """What no `evertune measure` has measured since."""
    found = _pending(bundle.attestation() or {})
    for record in bundle.measurements():
        if "recipes" in record:
            found = [each for each in found if each["target"] != record["target"]]
        found += _pending(record)
    return found


def _pending(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Nobody signs a measurement: what is malformed is passed over."""
    found = record.get("pending")
    return [each for each in found if _is_pending(each)] if isinstance(found, list) else []


def _is_pending(each: Any) -> bool:
    if not isinstance(each, dict) or not isinstance(each.get("recipes"), list):
        return False
    return all(isinstance(text, str) for text in (each.get("target"), each.get("what"), *each["recipes"]))


def command_for(bundle: Bundle, target: str) -> str | None:
    """What is to be run on the machine that will serve; None where nothing is pending for that target."""
    found = any(each["target"] == target for each in still_pending(bundle))
    return f"evertune measure {bundle.digest[:12]} --target {target}" if found else None


def pending_lines(bundle: Bundle, target: str) -> Iterator[str]:
    """The same for people."""
    found = [each for each in still_pending(bundle) if each["target"] == target]
    if not found:
        return
    yield f"Not measured here, since this machine has nothing to run {target} on:"
    for each in found:
        yield f"  {', '.join(each['recipes'])}: {each['what']}"
    yield "On the machine that will serve it, with this bundle store:"
    yield f"  {command_for(bundle, target)}\n"
