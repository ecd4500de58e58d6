"""From what a file says to a label, and back, by the kind of the bundle that predicted the row."""

from __future__ import annotations

from typing import Any

from evertune.bundle import BundleStore, Manifest
from evertune.errors import InputError
from evertune.kinds import kind_of
from evertune.tensors import Tensors


class Meanings:
    """Kinds and names by bundle, each read once.

    Args:
        store: Where bundles are.
    """

    def __init__(self, store: BundleStore) -> None:
        self._store = store
        self._known: dict[str, Manifest] = {}

    def number(self, digest: str, value: Any) -> float | InputError:
        """The ledger's number for a label, or the error that says why there is none.

        A text may stand for a number or a list: CSV knows neither.

        Raises:
            BundleError: The bundle is not in the store, or damaged.
        """
        manifest = self._manifest(digest)
        kind = kind_of(manifest.kind)
        try:
            meant = kind.read_label(value, manifest.labels) if isinstance(value, str) else value
            return kind.encode_label(meant, manifest.labels)
        except InputError as error:
            return error

    def label(self, digest: str, number: float) -> Any:
        """A label as a client would send it: a name, a number, None, or a list of names.

        Raises:
            BundleError: As `number`.
        """
        manifest = self._manifest(digest)
        return kind_of(manifest.kind).show_label(number, manifest.labels)

    def predicted(self, digest: str, outputs: Tensors) -> Any:
        """What was predicted of one row, in the form of a label.

        Raises:
            BundleError: As `number`.
        """
        manifest = self._manifest(digest)
        kind = kind_of(manifest.kind)
        (answer,) = kind.answer(outputs, manifest.labels, manifest.parameters)
        return kind.show_answer(answer)

    def _manifest(self, digest: str) -> Manifest:
        if digest not in self._known:
            self._known[digest] = self._store.get(digest).manifest
        return self._known[digest]
