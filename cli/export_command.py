"""`evertune export`: from the study's winner, or a model that was not tuned here, to a sealed bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import TARGETS, Json, Study

if TYPE_CHECKING:
    from cli.foreign import Order
    from evertune.bundle import Bundle
    from evertune.settings import ExportSettings, Project

_MODEL_HELP = "A .keras file, an import path package.module:factory, or a .joblib file. Left out: the study's winner."
_UNPICKLE_HELP = "Load MODEL although that runs code from the file: only for files you made yourself."
_BACKEND_HELP = "Of Keras, torch or tensorflow, one a process; instead of tune.backend."
_TARGET_HELP = "What will serve: cpu, cuda, tensorrt; else export.target. If not here, says what is left to measure."


def export(
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help=_MODEL_HELP, show_default=False)] = None,
    task: Annotated[
        str | None, typer.Option("--task", metavar="FILE.py:Class", help="Of MODEL; else the project's task.")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option("--weights", help="State dict (.pt, .pth, .safetensors) of a torch module.")
    ] = None,
    unpickle: Annotated[bool, typer.Option("--unpickle", help=_UNPICKLE_HELP)] = False,
    backend: Annotated[str | None, typer.Option("--backend", help=_BACKEND_HELP)] = None,
    target: Annotated[str | None, typer.Option("--target", help=_TARGET_HELP)] = None,
    study: Study = "main",
    promote: Annotated[bool, typer.Option("--promote", help="Make it the champion at once.")] = False,
    json_output: Json = False,
) -> None:
    """Export, verify, measure every precision, choose, seal: a study's winner, or MODEL, which was not tuned here.

    The bundle goes to the store under the digest of its content. Without --promote nothing is served yet.

    evertune export model.keras --task task.py:Shoes --backend tensorflow

    evertune export nets.small:make --weights small.pt --task task.py:Shoes

    evertune export forest.joblib --unpickle --task task.py:Shoes
    """
    from cli.alias_command import try_alias
    from cli.output import print_json
    from cli.pending import attested_for, command_for
    from cli.promote_command import promote_bundle
    from evertune.settings import load_project

    project = load_project()
    settings = _settings(project, target)
    if model is None:
        _refuse_options(task=task, weights=weights, unpickle=unpickle or None, backend=backend)
        bundle, reason = _ship(project, study, settings), f"winner of the study {study}"
    else:
        from cli.foreign import export_foreign

        order = _order(project, model, task, weights, unpickle, backend)
        bundle, reason = export_foreign(project, settings, order), f"exported from {Path(model).name}"
    attestation = attested_for(bundle, settings.target)
    deployment = promote_bundle(project, bundle, reason) if promote else None
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
                "next": command_for(bundle, settings.target),
            }
        )
    else:
        _print(bundle, attestation, settings.target, promoted=promote)


def _settings(project: Project, target: str | None) -> ExportSettings:
    from evertune.errors import InputError

    if target not in (None, *TARGETS):
        raise InputError(f"--target {target!r} is unknown", fix=f"Use {', '.join(TARGETS)}.")
    settings = project.settings.export
    return settings if target is None else settings.model_copy(update={"target": target})


def _refuse_options(**given: object) -> None:
    from evertune.errors import InputError

    for name, value in given.items():
        if value is not None:
            raise InputError(
                f"--{name} goes with MODEL: a study knows its own",
                fix="Name a model: evertune export MODEL --task FILE.py:Class.",
            )


def _order(
    project: Project, model: str, task: str | None, weights: Path | None, unpickle: bool, backend: str | None
) -> Order:
    from cli.foreign import Order
    from evertune.errors import InputError

    if backend not in (None, "torch", "tensorflow"):
        raise InputError(f"--backend {backend!r} is unknown", fix="Use torch or tensorflow.")
    # What is typed is relative to where it is typed, what is set to the file that sets it.
    root = project.root if task is None else Path.cwd()
    reference, keras = task or project.settings.project.task, backend or project.settings.tune.backend
    return Order(model, reference, root, weights, unpickle, keras)


def _ship(project: Project, study: str, settings: ExportSettings) -> Bundle:
    from dataclasses import replace

    from cli.stages import stage
    from tune import load_study, ship

    found = load_study(project.studies / study)
    plan = replace(found.plan, export=found.plan.export.model_copy(update={"target": settings.target}))
    with stage("exporting, verifying and measuring every precision"):
        return ship(replace(found, plan=plan), project)


def _print(bundle: Bundle, attestation: dict[str, Any], target: str, *, promoted: bool) -> None:
    from rich.console import Console

    from cli.evaluation_table import metrics_table
    from cli.pending import pending_lines
    from cli.tables import candidates_table

    console = Console()
    console.print(candidates_table(attestation))
    console.print(f"Ships {attestation['reason']}", highlight=False, markup=False)
    console.print(metrics_table(attestation["evaluation"]))
    console.print(f"Bundle {bundle.digest}\n", highlight=False)
    for line in pending_lines(bundle, target):
        console.print(line, highlight=False, markup=False)
    if promoted:
        console.print(f"{bundle.manifest.model}: {bundle.digest[:12]} is the champion. Next: bentoml serve")
    else:
        console.print(f"Next: evertune promote {bundle.digest[:12]}", highlight=False)
