"""A bundle's short name in BentoML's model store, so that `bentoml models list` and `bentoml build` see it."""

from __future__ import annotations

import re
import shutil

import bentoml
from bentoml.exceptions import NotFound

from evertune.bundle import Bundle

_VERSION_DIGITS = 12
_MAX_TAG = 63  # longer ones cannot be labels in Kubernetes


def alias(bundle: Bundle, bundle_url: str) -> str:
    """Enters a bundle in the model store. Once it is there, again changes nothing.

    The model file is copied, for `bentoml build`; the truth stays in the bundle store, whose URL and digest the entry
    names.

    Args:
        bundle: From the store.
        bundle_url: Of the store.

    Returns:
        The tag, `name:digest[:12]`, at most 63 characters.
    """
    version = bundle.digest[:_VERSION_DIGITS]
    name = re.sub(r"[^a-z0-9-]+", "-", bundle.manifest.model.lower()).strip("-") or "model"
    tag = f"{name[: _MAX_TAG - len(version) - 1].rstrip('-')}:{version}"
    try:
        bentoml.models.get(tag)
    except NotFound:
        labels = {"evertune-model": bundle.manifest.model, "evertune-digest": version}
        metadata = {"digest": bundle.digest, "bundle_url": bundle_url, "recipe": bundle.manifest.recipe}
        with bentoml.models.create(tag, labels=labels, metadata=metadata) as entry:
            shutil.copytree(bundle.content_path, entry.path, dirs_exist_ok=True)
    return tag
