"""A bundle's facts for people; no line needs more than 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from cli.evaluation_table import metrics_table
from cli.output import local_time
from cli.tables import candidates_table, hyperparameters, kilobytes, milliseconds, plain_table

_LABELS = 12  # shown at most
_OPERATORS = 14


def bundle_text(facts: Mapping[str, Any]) -> Iterator[RenderableType]:
    """What `bundle_facts` gave, part by part."""
    yield Text(f"{facts['model']}: {facts['kind']}, {facts['recipe']}", style="bold")
    yield Text(f"digest {facts['digest']}")
    yield Text(f"in {facts['path']}")
    yield from _contract(facts)
    yield from _graph(facts["graph"])
    yield _files(facts)
    yield Text(_verified(facts["verified"]))
    attestation = facts["attestation"]
    if attestation is None:
        yield Text("\nNo attestation: this is a draft, which no store holds.")
    else:
        yield from _attested(attestation)
    yield Text(_signed(facts["signed_by"]))
    for record in facts["measurements"]:
        yield from _beside(record)
    for each in facts["pending"]:
        yield Text(f"pending on {each['target']}: {', '.join(each['recipes'])}: {each['what']}")


def _signed(signers: Mapping[str, bool]) -> str:
    if not signers:
        return "signed by nobody"
    return "\n".join(
        f"signed by {key}" if good else f"WRONG signature of {key}: not of this content and attestation"
        for key, good in signers.items()
    )


def _contract(facts: Mapping[str, Any]) -> Iterator[RenderableType]:
    table = plain_table("signature", ("", "name", "dtype", "shape of a row"), ())
    for side in ("inputs", "outputs"):
        for spec in facts["signature"][side]:
            shape = "x".join("any" if size is None else str(size) for size in spec["shape"]) or "scalar"
            table.add_row(side[:-1], Text(spec["name"]), spec["dtype"], shape)
    yield table
    labels = facts["labels"]
    more = f", and {len(labels) - _LABELS} more" if len(labels) > _LABELS else ""
    yield Text(f"{len(labels)} labels: {', '.join(labels[:_LABELS])}{more}")
    if facts["parameters"]:
        yield Text(f"of the kind: {hyperparameters(facts['parameters'])}")
    reference, golden = facts["reference"], facts["golden"]
    yield Text(
        f"reference loss {reference['loss_mean']:.4f} (at most {reference['loss_upper_bound']:.4f}, "
        f"{reference['confidence_level']:.0%}) on {reference['rows']} rows\n"
        f"{golden['rows']} golden rows within {golden['absolute_tolerance']:.3g}; confidence fitted on "
        f"{facts['calibration_rows']} rows"
    )


def _graph(graph: Mapping[str, Any]) -> Iterator[RenderableType]:
    by_dtype = ", ".join(f"{count:,} {dtype}" for dtype, count in graph["parameters_by_dtype"].items())
    opsets = ", ".join(f"{domain} {version}" for domain, version in graph["opsets"].items())
    operators = [f"{name} {count}" for name, count in graph["operators"].items()]
    more = f", and {len(operators) - _OPERATORS} more" if len(operators) > _OPERATORS else ""
    yield Text(f"\n{graph['parameters']:,} parameters ({by_dtype})")
    yield Text(f"{sum(graph['operators'].values())} operators: {', '.join(operators[:_OPERATORS])}{more}")
    yield Text(f"opsets: {opsets}; IR {graph['ir_version']}")


def _files(facts: Mapping[str, Any]) -> RenderableType:
    table = plain_table("files", ("name", "SHA-256"), ("bytes",))
    for name, entry in sorted(facts["files"].items()):
        table.add_row(name, f"{entry['sha256'][:16]}...", f"{entry['size_bytes']:,}")
    return table


def _verified(verified: Mapping[str, Any]) -> str:
    beside = f", {len(verified['beside'])} beside it against extras.json" if verified["beside"] else ""
    return (
        f"All {len(verified['content'])} files of the content were read and fit their hashes{beside}; nothing was run."
    )


def _attested(attestation: Mapping[str, Any]) -> Iterator[RenderableType]:
    if attestation.get("candidates"):
        yield candidates_table(attestation)
        yield Text(f"Ships {attestation['reason']}\n")
    if attestation.get("evaluation"):
        yield metrics_table(attestation["evaluation"])
    for group in ("lineage", "hardware", "versions"):
        found = [f"{name}={value}" for name, value in _flat(attestation.get(group, {}))]
        if found:
            yield Text(f"{group}: {' '.join(found)}")


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """One level of names for nested values; a trial's own tables are in `--json`."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            if value:
                yield f"{prefix}{name}", ",".join(str(item) for item in value if not isinstance(item, dict | list))
        elif value is not None:
            yield f"{prefix}{name}", value


def _beside(record: Mapping[str, Any]) -> Iterator[RenderableType]:
    try:
        yield from list(measured(record) if "recipes" in record else _exported(record))
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):  # nobody signs one, so it may be anything
        yield Text(f"A measurement on {record['target'][:80]} that has not the form of one; see --json")


def measured(record: Mapping[str, Any]) -> Iterator[RenderableType]:
    """A record of `evertune measure`."""
    when = local_time(float(record.get("measured_at", 0.0)))
    table = plain_table(f"measured on {record['target']}, {when}", ("recipe", "batch"), ("latency", "to the bundle"))
    for recipe, found in record["recipes"].items():
        for batch, seconds in sorted(found["latency_seconds"].items(), key=lambda item: int(item[0])):
            table.add_row(recipe, batch, milliseconds(seconds), f"{found['latency_ratio'][batch]:.2f}")
    yield table
    hardware = record["hardware"]
    yield Text(f"on {', '.join(hardware.get('gpus') or [hardware['cpu']])}; size {_sizes(record)}")


def _exported(record: Mapping[str, Any]) -> Iterator[RenderableType]:
    """The same content, exported once more for another target."""
    yield Text(f"\nExported for {record['target']} too: ships {record['reason']}")
    yield candidates_table(record)


def _sizes(record: Mapping[str, Any]) -> str:
    return ", ".join(f"{recipe} {kilobytes(found['size_bytes'])}" for recipe, found in record["recipes"].items())
