"""Versions of the manifest's format, and how an older one is read.

A version is raised when an older reader would misunderstand what a newer writer seals. To add one: raise
`FORMAT_VERSION`, add the step from the version before to `_STEPS`, keep all older steps, and keep a bundle of the older
version among the tests. The bytes of an old manifest are never rewritten, so its digest stays its address.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from evertune.errors import BundleError

FORMAT_VERSION = 2


def migrate(data: dict[str, Any], file: str) -> dict[str, Any]:
    """A manifest of any known version, as the newest one would say it.

    Args:
        data: As parsed.
        file: Its name, for messages.

    Raises:
        BundleError: The version is missing or newer than this Evertune.
        ValueError: The manifest has a field that its version does not know.
    """
    version = data.get("format_version")
    if type(version) is not int or not 1 <= version <= FORMAT_VERSION:
        raise BundleError(
            f"{file} has format version {str(version)[:40]}, this Evertune reads 1 to {FORMAT_VERSION}",
            fix="Upgrade Evertune, or export the model again.",
            file=file,
        )
    for step in range(version, FORMAT_VERSION):
        data = {**_STEPS[step](data), "format_version": step + 1}
    return data


def _from_1(data: Mapping[str, Any]) -> dict[str, Any]:
    """Version 1 had all weights in `model.onnx`, and four recipes."""
    if "external_data" in data:
        raise ValueError("format version 1 has no field external_data")
    return {**data, "external_data": []}


_STEPS: Mapping[int, Callable[[Mapping[str, Any]], dict[str, Any]]] = MappingProxyType({1: _from_1})
