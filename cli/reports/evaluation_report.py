"""The report of a bundle: what was measured before it shipped, and how its confidence fares since."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from cli.evaluation_table import estimate
from cli.output import local_time
from cli.pending import still_pending
from cli.reports.candidate_figures import candidate_picture
from cli.reports.evaluation_figures import class_scores, confidence_map, confusion
from cli.reports.evaluation_figures import reliability as reliability_plot
from cli.reports.page import Page
from cli.tables import hyperparameters, kilobytes, milliseconds
from evertune.bundle import Bundle
from evertune.evaluation import reliability
from evertune.ledger import RowLoss

_FEWEST_LIVE_ROWS = 30
_SCORES = ("precision", "recall", "f1")


def evaluation_page(bundle: Bundle, live: Sequence[RowLoss] = ()) -> Page:
    """Scores with intervals, confusion matrix, classes, calibration, slices, precisions, lineage.

    What an attestation does not have is left out: kinds of task differ, and so do versions of Evertune.

    Args:
        bundle: As it lies in the store.
        live: Losses and confidences of its labelled rows since.
    """
    attestation = bundle.attestation() or {}
    page = Page(f"{bundle.manifest.model} {bundle.digest[:12]}", f"{bundle.manifest.recipe}, sealed as {bundle.digest}")
    evaluation = attestation.get("evaluation")
    if evaluation:
        _add_scores(page, evaluation)
        _add_classes(page, evaluation)
    else:
        page.text("No evaluation is attested for this bundle.")
    _add_calibration(page, bundle, attestation, live)
    _add_slices(page, attestation)
    _add_precisions(page, attestation)
    _add_measurements(page, bundle)
    _add_origin(page, attestation)
    return page


def _add_scores(page: Page, evaluation: Mapping[str, Any]) -> None:
    page.section("Scores")
    page.text(f"On {evaluation['rows']} rows that the search never saw, by the artifact that ships; 95% intervals.")
    page.table(("score", "value", "95% interval"), estimates(evaluation))
    averages = evaluation.get("averages", {})
    names = sorted(next(iter(averages.values()), {}), key=_place)
    rows = ((kind, *(estimate(average[name]) for name in names)) for kind, average in averages.items())
    page.table(("average over classes", *names), rows)


def estimates(found: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Whatever in it is a figure with an interval.

    Example:
        >>> list(estimates({"rows": 9, "log_loss": {"value": 0.5, "interval": {"lower": 0.4, "upper": 0.6}}}))
        [('log loss', '0.5000', '[0.4000, 0.6000]')]
    """
    for name, value in found.items():
        if isinstance(value, Mapping) and value.keys() >= {"value", "interval"}:
            interval = value["interval"]
            yield name.replace("_", " "), f"{value['value']:.4f}", f"[{interval['lower']:.4f}, {interval['upper']:.4f}]"


def _add_classes(page: Page, evaluation: Mapping[str, Any]) -> None:
    classes = evaluation.get("classes")
    if not classes:
        return
    page.section("Confusion matrix")
    if "confusion" in evaluation:
        names = [each["label"] for each in classes]
        page.plot(confusion(evaluation["confusion"], names), least_width=min(900, 34 * len(names) + 180))
    page.section("Classes")
    page.plot(class_scores(classes), "In brackets: test rows of the class.")
    rows = ((each["label"], each["support"], *(estimate(each[name]) for name in _SCORES)) for each in classes)
    page.table(("class", "rows", *_SCORES), rows)


def _place(score: str) -> int:
    """Canonical JSON sorts by name; people expect this order."""
    return _SCORES.index(score) if score in _SCORES else len(_SCORES)


def _add_calibration(page: Page, bundle: Bundle, attestation: Mapping[str, Any], live: Sequence[RowLoss]) -> None:
    page.section("Calibration")
    bins = {"test rows, before it shipped": attestation["reliability"]} if "reliability" in attestation else {}
    if len(live) >= _FEWEST_LIVE_ROWS:
        confidence, losses = (np.array([getattr(row, name) for row in live]) for name in ("confidence", "loss"))
        bins[f"{len(live)} labelled live rows"] = [each.to_json() for each in reliability(confidence, 1.0 - losses)]
    if bins:
        page.plot(reliability_plot(bins), "Above the diagonal it is more often right than it says, below less often.")
    else:
        page.text("No reliability diagram: the bundle was sealed without one, and hardly a live row is labelled.")
    page.plot(
        confidence_map(bundle.calibration.knots_x, bundle.calibration.knots_y),
        f"Fitted on {bundle.calibration.rows} rows that neither training nor selection saw.",
    )


def _add_slices(page: Page, attestation: Mapping[str, Any]) -> None:
    slices = attestation.get("slices") or (attestation.get("evaluation") or {}).get("slices")
    if not slices:
        return
    page.section("Slices")
    named = slices.items() if isinstance(slices, Mapping) else ((each.get("name", ""), each) for each in slices)
    rows = [(name, found.get("rows", ""), *row) for name, found in named for row in estimates(found)]
    page.table(("slice", "rows", "score", "value", "95% interval"), rows)


def _add_precisions(page: Page, attestation: Mapping[str, Any]) -> None:
    if not attestation.get("candidates"):
        return
    page.section("Precisions")
    page.text(f"Ships {attestation['reason']}.")
    batch_rows = (attestation.get("measurement") or {}).get("batch_rows", 1)
    picture = candidate_picture(attestation["candidates"], attestation.get("recipe", ""), batch_rows)
    if picture is not None:
        page.plot(
            picture,
            "Area by file size; bars: 95% intervals of the loss that a precision adds to FP32's on the same rows. "
            "Latency is FP32's median times the median ratio within a round, since what else the machine did hit both "
            "alike. Touch a point for its figures, and for why it does not ship.",
        )
    page.table(_PRECISIONS, map(_precision, attestation["candidates"]))
    refused = ((each["recipe"], each["refused"]) for each in attestation["candidates"] if each["refused"])
    page.table(("precision", "not shipped because"), refused)


_PRECISIONS = (
    *("precision", "loss", "loss added, 95%", "1 row", "8 rows", "64 rows", "latency to FP32"),
    *("size", "size to FP32", "parity"),
)


def _precision(each: Mapping[str, Any]) -> tuple[str, ...]:
    """A row of the table; empty where a figure was not measured."""
    added, ratios, parity = each["difference"], each.get("latency_ratio") or {}, each.get("parity")
    return (
        each["recipe"],
        "" if each["accuracy"] is None else f"{1 - each['accuracy']:.4f}",
        "" if added is None else f"[{added['lower']:+.4f}, {added['upper']:+.4f}]",
        *(milliseconds(each["latency_seconds"].get(batch)) for batch in ("1", "8", "64")),
        " / ".join(f"{ratios[batch]:.2f}" for batch in ("1", "8", "64") if batch in ratios),
        kilobytes(each["size_bytes"]),
        "" if each.get("size_ratio") is None else f"{each['size_ratio']:.2f}",
        "" if parity is None else f"{parity['absolute']:.1e}",
    )


def _add_measurements(page: Page, bundle: Bundle) -> None:
    """What `evertune measure` found since, and what it has still to find."""
    records = [record for record in bundle.measurements() if "recipes" in record]
    pending = still_pending(bundle)
    if not records and not pending:
        return
    page.section("Measured where it serves")
    rows = (
        (
            local_time(record["measured_at"]),
            record["target"],
            recipe,
            *(milliseconds(found["latency_seconds"].get(batch)) for batch in ("1", "8", "64")),
            ", ".join(record["hardware"].get("gpus") or [record["hardware"]["cpu"]]),
        )
        for record in records
        for recipe, found in record["recipes"].items()
    )
    page.table(("when", "target", "precision", "1 row", "8 rows", "64 rows", "hardware"), rows)
    page.text(*(f"Pending on {each['target']}: {', '.join(each['recipes'])}: {each['what']}." for each in pending))


def _add_origin(page: Page, attestation: Mapping[str, Any]) -> None:
    lineage, trial = attestation.get("lineage", {}), attestation.get("lineage", {}).get("trial", {})
    if not lineage:
        return
    page.section("Origin")
    page.text(hyperparameters(trial.get("hyperparameters", {})))
    shown: dict[str, object] = {name: value for name, value in lineage.items() if isinstance(value, str | int | float)}
    shown |= {f"origin: {name}": value for name, value in _leaves(lineage.get("origin") or {})}
    shown |= {
        f"{group} {name}": value for group in ("hardware", "versions") for name, value in _flat(attestation, group)
    }
    page.table(("what", "value"), shown.items())


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", value


def _flat(attestation: Mapping[str, Any], group: str) -> Iterator[tuple[str, str]]:
    for name, value in attestation.get(group, {}).items():
        yield name, ", ".join(map(str, value)) if isinstance(value, list) else str(value)
