"""The preprocessor of a bundle: a content file of its own, which the manifest names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evertune.bundle.canonical import damaged, from_canonical, to_canonical
from evertune.preprocessing import Preprocessor
from evertune.tensors import Signature

FILE_NAME = "preprocessing.json"
_MOST_BYTES = 32_000_000  # two tokenizers of the largest size


def entry_of(preprocessing: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, bytes]]:
    """What the manifest says, and the content file, if there is any preprocessing.

    Args:
        preprocessing: `Preprocessor.to_json()`, or empty.
    """
    if not preprocessing:
        return {}, {}
    content = to_canonical(dict(preprocessing))
    return {"file": FILE_NAME, "format_version": preprocessing["format_version"]}, {FILE_NAME: content}


def read(entry: Mapping[str, Any], files: Mapping[str, bytes], signature: Signature) -> Preprocessor | None:
    """Parses, audits, then constructs.

    Args:
        entry: `manifest.preprocessing`.
        files: Checked content files.
        signature: Of the graph that it feeds.

    Raises:
        BundleError: File and manifest do not belong together, or the file holds what is not allowed.
    """
    if not entry and FILE_NAME not in files:
        return None
    if set(entry) != {"file", "format_version"} or entry["file"] != FILE_NAME or FILE_NAME not in files:
        raise damaged(FILE_NAME, f"is not what manifest.json names as preprocessing: {dict(entry)}")
    if len(files[FILE_NAME]) > _MOST_BYTES:
        raise damaged(FILE_NAME, f"has {len(files[FILE_NAME])} bytes, over {_MOST_BYTES}")
    data = from_canonical(files[FILE_NAME], FILE_NAME)
    try:
        preprocessor = Preprocessor.from_json(data)
    except (ValueError, RecursionError) as error:
        raise damaged(FILE_NAME, f"is not allowed: {str(error)[:300]}") from error
    if not _same(preprocessor.to_json(), data):
        raise damaged(FILE_NAME, "is not allowed: it has true or false where a number stands")
    unfit = [spec for spec in preprocessor.outputs if spec not in signature.inputs]
    if unfit or data["format_version"] != entry["format_version"]:
        raise damaged(FILE_NAME, f"does not fit the manifest: {unfit or entry}")
    return preprocessor


def _same(one: Any, other: Any) -> bool:
    """Equal in Python, and `true` is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
