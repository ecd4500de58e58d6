"""`evertune promote`: makes a bundle the champion."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import Json, Reason

if TYPE_CHECKING:
    from evertune.bundle import Bundle
    from evertune.settings import Project


def promote(
    digest: Annotated[str, typer.Argument(help="Of a bundle in the store; eight or more first digits are enough.")],
    reason: Reason = "by hand",
    json_output: Json = False,
) -> None:
    """Make a bundle the champion of its model.

    The bundle is loaded and must give its golden outputs again on this machine before anything changes. A running
    server swaps to it within a second without dropping a request. BentoML's model store gets an entry for it.
    """
    from cli.alias_command import try_alias
    from cli.output import print_json
    from evertune.bundle import BundleStore
    from evertune.settings import load_project

    project = load_project()
    bundle = BundleStore.of(project).get(digest)
    deployment = promote_bundle(project, bundle, reason)
    try_alias(project, bundle)
    if json_output:
        print_json(deployment)
    else:
        print(f"{deployment['model']}: {deployment['digest'][:12]} is the champion.")


def promote_bundle(project: Project, bundle: Bundle, reason: str) -> dict[str, Any]:
    """Proves that the bundle loads and answers as when it was sealed, then promotes it.

    Returns:
        The deployment as JSON.

    Raises:
        BundleError: It does not, or no trusted key has signed it; the champion stays.
    """
    from cli.output import actor
    from evertune.ledger import Ledger

    trusted = project.settings.bundles.require_signature_of
    if trusted:
        bundle.check_trust(trusted)
    bundle.verified_session()
    model = bundle.manifest.model
    with Ledger.open(project.ledger_url) as ledger:
        before = ledger.registry.champion(model)
        evidence = {"tested_against_champion": False}
        deployment = ledger.registry.promote(model, bundle.digest, reason=reason, actor=actor(), evidence=evidence)
    if before is not None and before.digest != bundle.digest:
        print(
            f"note: {bundle.digest[:12]} replaces {before.digest[:12]} without a test of the two on the same rows; "
            "`evertune rollback` takes it back.",
            file=sys.stderr,
        )
    return vars(deployment)
