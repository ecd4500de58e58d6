"""Whether what should be served can be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cli.doctor.finding import Finding
from cli.doctor.ledger import sqlite_path
from evertune.bundle import BundleStore
from evertune.bundle.trust import Signer
from evertune.errors import EvertuneError
from evertune.keys import Keyring
from evertune.ledger import Deployment, Ledger
from evertune.settings import Project


def examine_champions(project: Project) -> Iterator[Finding]:
    """Each champion's bundle is audited, loaded and run on its golden rows.

    The ledger must be sound: see `examine_ledger`.
    """
    champions = _champions(project)
    if not champions:
        yield Finding("champion", "warning", "no model was promoted yet", "evertune tune && evertune export --promote")
    store = BundleStore.of(project)
    for champion in champions:
        yield _examine(store, champion)


def _champions(project: Project) -> list[Deployment]:
    path = sqlite_path(project.ledger_url)
    if path is not None and not path.exists():  # opening it would make it
        return []
    with Ledger.open(project.ledger_url) as ledger:
        found = [ledger.registry.champion(model) for model in ledger.registry.models()]
    return [champion for champion in found if champion is not None]


def _examine(store: BundleStore, champion: Deployment) -> Finding:
    area = f"champion {champion.model}"
    try:
        bundle = store.get(champion.digest)
        bundle.verified_session()
    except EvertuneError as error:
        mend = f"evertune rollback --model {champion.model}, or restore the bundle from a backup"
        return Finding(area, "problem", f"{champion.digest[:12]}: {error.message}", mend)
    text = f"{champion.digest[:12]}, {bundle.manifest.recipe}: intact, its golden rows come out as sealed"
    return Finding(area, "ok", text)


def examine_task(project: Project) -> Iterator[Finding]:
    """Whether the task's file is there; it is not imported, for that may take long."""
    path = project.root / Path(project.settings.project.task.rpartition(":")[0])
    if path.is_file():
        yield Finding("task", "ok", project.settings.project.task)
    else:
        yield Finding("task", "problem", f"there is no {path}", "Correct `task` under [project] in evertune.toml.")


def examine_access(project: Project) -> Iterator[Finding]:
    """Whether anyone may call the server, and whether too many may."""
    settings = project.settings
    good = [key for key in Keyring(project.keys_path).list() if key.revoked_at is None]
    if not settings.serve.require_keys:
        open_host = settings.serve.host not in ("127.0.0.1", "localhost", "::1")
        text = f"no key is asked for on {settings.serve.host}"
        mend = "Set serve.require_keys = true." if open_host else None
        yield Finding("keys", "warning" if open_host else "ok", text, mend)
    elif not good:
        yield Finding("keys", "warning", "nobody can call the server: there is no API key", "evertune key create NAME")
    else:
        yield Finding("keys", "ok", f"{len(good)} good API keys")
    yield from _examine_signing(project)
    if not settings.retune.webhook_token:
        mend = "export EVERTUNE_RETUNE__WEBHOOK_TOKEN=$(openssl rand -hex 24)"
        yield Finding("webhook", "warning", "Alertmanager's webhook is refused: there is no token", mend)


def _examine_signing(project: Project) -> Iterator[Finding]:
    """Whether what is sealed here would be believed here."""
    trusted, path = project.settings.bundles.require_signature_of, project.signing_key_path
    if path is None:
        if trusted:
            text = "signatures are asked for, and what is sealed here gets none"
            yield Finding("signing", "warning", text, "Set bundles.signing_key where models are exported and re-tuned.")
        return
    try:
        public_key = Signer(path).public_key
    except EvertuneError as error:
        yield Finding("signing", "problem", error.message, error.fix)
        return
    if trusted and public_key not in trusted:
        mend = f"Add {public_key} to bundles.require_signature_of."
        yield Finding("signing", "warning", "the key that signs here is not among those that are asked for", mend)
    else:
        yield Finding("signing", "ok", f"bundles are signed by {public_key[:12]}")
