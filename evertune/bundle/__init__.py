"""Bundles: the sealed, content-addressed form in which a model travels from export to server."""

from evertune.bundle.bundle import Bundle
from evertune.bundle.confidence import ConfidenceMap
from evertune.bundle.draft import write_content
from evertune.bundle.golden import Golden
from evertune.bundle.manifest import FileEntry, Manifest
from evertune.bundle.reference import Reference
from evertune.bundle.store import BundleStore

__all__ = [
    "Bundle",
    "BundleStore",
    "ConfidenceMap",
    "FileEntry",
    "Golden",
    "Manifest",
    "Reference",
    "write_content",
]
