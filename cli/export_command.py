"""`evertune export`: from the study's winner to a sealed bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import Json, Study

if TYPE_CHECKING:
    from evertune.bundle import Bundle
    from evertune.settings import Project


def export(
    study: Study = "main",
    promote: Annotated[bool, typer.Option("--promote", help="Make it the champion at once.")] = False,
    json_output: Json = False,
) -> None:
    """Ship a study's winner: export, verify, measure every precision, choose, seal.

    The bundle goes to the store under the digest of its content. Without --promote nothing is served yet.
    """
    from cli.alias_command import try_alias
    from cli.output import print_json
    from cli.promote_command import promote_bundle
    from evertune.settings import load_project

    project = load_project()
    bundle = _ship(project, study)
    attestation = bundle.attestation() or {}
    deployment = promote_bundle(project, bundle, f"winner of the study {study}") if promote else None
    if promote:
        try_alias(project, bundle)
    if json_output:
        print_json(
            {
                "model": bundle.manifest.model,
                "digest": bundle.digest,
                "recipe": bundle.manifest.recipe,
                "path": str(bundle.path),
                "champion": deployment is not None,
                "attestation": attestation,
            }
        )
    else:
        _print(bundle, attestation, promoted=promote)


def _ship(project: Project, study: str) -> Bundle:
    from tune import load_study, ship

    return ship(load_study(project.studies / study), project)


def _print(bundle: Bundle, attestation: dict[str, Any], *, promoted: bool) -> None:
    from rich.console import Console

    from cli.evaluation_table import metrics_table
    from cli.tables import candidates_table

    console = Console()
    console.print(candidates_table(attestation))
    console.print(f"Ships {attestation['reason']}", highlight=False, markup=False)
    console.print(metrics_table(attestation["evaluation"]))
    console.print(f"Bundle {bundle.digest}\n", highlight=False)
    if promoted:
        console.print(f"{bundle.manifest.model}: {bundle.digest[:12]} is the champion. Next: bentoml serve")
    else:
        console.print(f"Next: evertune promote {bundle.digest[:12]}", highlight=False)
