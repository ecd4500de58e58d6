"""`evertune alias`: champions under short names in BentoML's model store."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import Json

if TYPE_CHECKING:
    from evertune.bundle import Bundle
    from evertune.settings import Project


def alias(
    digest: Annotated[str | None, typer.Argument(help="Of a bundle in the store. Without it: every champion.")] = None,
    json_output: Json = False,
) -> None:
    """Enter bundles in BentoML's model store, so that `bentoml models list` and `bentoml build` see them.

    `evertune promote` does so by itself; after a re-tune has promoted, this does. The truth stays in the bundle store.
    """
    from cli.output import print_json
    from evertune.bundle import BundleStore
    from evertune.ledger import Ledger
    from evertune.settings import load_project

    project = load_project()
    digests = [digest] if digest else []
    if not digests:
        with Ledger.open(project.ledger_url) as ledger:
            champions = [ledger.registry.champion(model) for model in ledger.registry.models()]
        digests = [champion.digest for champion in champions if champion is not None]
    store = BundleStore.of(project)
    tags = [enter_alias(project, store.get(each)) for each in digests]
    if json_output:
        print_json({"tags": tags})
    else:
        print("\n".join(tags) or "No model was promoted yet.")


def enter_alias(project: Project, bundle: Bundle) -> str:
    """The tag under which BentoML knows the bundle from now on."""
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")  # before BentoML is imported, as in the server
    from serve.alias import alias

    return alias(bundle, project.bundle_url)


def try_alias(project: Project, bundle: Bundle) -> None:
    """As `enter_alias`; what BentoML's store objects to must not undo a promotion, so it is only told."""
    try:
        enter_alias(project, bundle)
    except Exception as error:  # a full disk, a folder of somebody else's, another version's store
        print(f"note: BentoML's model store did not take {bundle.digest[:12]}: {error}", file=sys.stderr)
