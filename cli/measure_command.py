"""`evertune measure`: what a bundle costs on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import TARGETS, Json

if TYPE_CHECKING:
    from evertune.settings import Project


def measure(
    digest: Annotated[str, typer.Argument(help="Of a bundle in the store; eight or more first digits are enough.")],
    target: Annotated[str, typer.Option("--target", help="cpu; on a machine with a GPU cuda or tensorrt.")] = "cpu",
    json_output: Json = False,
) -> None:
    """Measure a bundle on the machine that serves it, and keep the figures beside its attestation.

    Loads it on the target's execution provider, checks its golden rows there, times batches of 1, 8, 64 and
    limits.batch_rows rows; on a GPU also FP16 beside FP32. What `evertune export --target cuda` left pending is
    measured by this.
    """
    from cli.doctor.runtime import gpus
    from cli.output import print_json
    from cli.stages import stage
    from evertune.bundle import BundleStore
    from evertune.errors import InputError
    from evertune.settings import load_project
    from export.measurement import measure_bundle

    if target not in TARGETS:
        raise InputError(f"--target {target!r} is unknown", fix=f"Use {', '.join(TARGETS)}.")
    project = load_project()
    store = BundleStore.of(project)
    bundle = store.get(digest)
    with stage(f"measuring on {target}"):
        record = measure_bundle(
            bundle,
            target,
            threads=project.settings.export.threads,
            batch_rows=project.settings.limits.batch_rows,
        )
    if target != "cpu":
        record["hardware"]["gpus"] = gpus()
    record["over_limit"] = _over(project, bundle.manifest.recipe, record)
    store.add_measurement(bundle.digest, record)
    if json_output:
        print_json({"digest": bundle.digest, **record})
    else:
        _print(bundle.digest, bundle.manifest.recipe, record)


def _over(project: Project, recipe: str, record: dict[str, Any]) -> str | None:
    from export.choose import over_limits

    found, limits = record["recipes"][recipe], project.settings.limits
    return over_limits(found["latency_seconds"][str(limits.batch_rows)], found["size_bytes"], limits)


def _print(digest: str, recipe: str, record: dict[str, Any]) -> None:
    from rich.console import Console

    from cli.inspect.text import measured

    console = Console()
    for part in measured(record):
        console.print(part, highlight=False)
    console.print(f"Golden rows passed. {fp16_verdict(recipe, record)}", highlight=False, markup=False)
    if record["over_limit"]:
        console.print(f"Over a limit of evertune.toml: {record['over_limit']}", highlight=False, markup=False)
    console.print(f"Kept beside the attestation of {digest[:12]}.", highlight=False)


def fp16_verdict(recipe: str, record: dict[str, Any]) -> str:
    """Whether FP16 is faster than FP32 at the batch that decides, by the interval; empty where it was not timed."""
    half = record["recipes"].get("fp16")
    if half is None or recipe == "fp16":
        return ""
    rows = record["batch_rows"]
    interval = half["latency_interval"][str(rows)]
    found = f"{half['latency_ratio'][str(rows)]:.2f} ({interval['lower']:.2f} to {interval['upper']:.2f})"
    return f"FP16 takes {found} of FP32's time at batch {rows}: {_verdict(interval, record['target'])}."


def _verdict(interval: dict[str, float], target: str) -> str:
    if interval["upper"] < 1:
        return f"worth it: export with --target {target} here"
    return "not worth it" if interval["lower"] >= 1 else "neither is shown to be faster"
