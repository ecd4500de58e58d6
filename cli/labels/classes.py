"""From what a file says to a class index, by the class names of the bundle that predicted the row."""

from __future__ import annotations

from typing import Any

from evertune.bundle import BundleStore


class Classes:
    """Class names by bundle, each read once.

    Args:
        store: Where bundles are.
    """

    def __init__(self, store: BundleStore) -> None:
        self._store = store
        self._known: dict[str, dict[str, int]] = {}

    def index(self, digest: str, value: Any) -> int | None:
        """The class index of a name, or of an index; None where the model has no such class.

        A text that is no class name may be an index in digits: CSV knows no numbers. Names come first.

        Raises:
            BundleError: The bundle is not in the store, or damaged.
        """
        names = self._names(digest)
        if isinstance(value, str):
            if value in names:
                return names[value]
            value = int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None
        return value if type(value) is int and 0 <= value < len(names) else None

    def names(self, digest: str) -> list[str]:
        """Class names by index.

        Raises:
            BundleError: As `index`.
        """
        return list(self._names(digest))

    def _names(self, digest: str) -> dict[str, int]:
        if digest not in self._known:
            labels = self._store.get(digest).manifest.labels
            self._known[digest] = {name: index for index, name in enumerate(labels)}
        return self._known[digest]
