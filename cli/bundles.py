"""Which bundle a command means."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from evertune.errors import InputError

if TYPE_CHECKING:
    from evertune.bundle import Bundle

_DIGEST = re.compile(r"[0-9a-f]{8,64}")


def the_bundle(reference: str) -> Bundle:
    """A bundle by path, by digest, or as the champion of a model. Every file of its content is hashed on the way.

    Args:
        reference: Folder; 8 to 64 hex digits; or the name of a model that was promoted.

    Raises:
        InputError: It is none of these.
        BundleError: It is damaged, or no store has it.
        SettingsError: It is no folder, and this is no project.
    """
    from evertune.bundle import Bundle, BundleStore
    from evertune.settings import load_project

    if _is_folder(reference):
        return Bundle.open(Path(reference).resolve())
    project = load_project()
    digest = reference if _DIGEST.fullmatch(reference) else _champion(project.ledger_url, reference)
    return BundleStore.of(project).get(digest, fresh=True)


def _is_folder(reference: str) -> bool:
    """A folder of a model's name is no bundle; one given with a slash is meant as a folder, whatever is in it."""
    path = Path(reference)
    return path.is_dir() and ("/" in reference or (path / "content").exists() or (path / "manifest.json").exists())


def _champion(ledger_url: str, model: str) -> str:
    from cli.models import the_champion
    from evertune.ledger import Ledger

    with Ledger.open(ledger_url) as ledger:
        try:
            return the_champion(ledger, model).digest
        except InputError as error:
            raise InputError(
                f"{model!r} is no folder, no digest and no model with a champion ({error.message})",
                fix="Give a bundle's folder, 8 or more digits of its digest, or a model's name.",
            ) from error
