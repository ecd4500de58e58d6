"""An evaluation for people: scores with their intervals, and the confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from cli.tables import plain_table

_SCORES = ("precision", "recall", "f1")


def metrics_table(evaluation: Mapping[str, Any]) -> Table:
    """Score and metrics of any kind of task, on all rows and on each slice, with 95% intervals.

    Args:
        evaluation: As `evertune.evaluation.Evaluation.to_json` gives it.
    """
    table = plain_table("on rows that the search never saw", ("", "metric"), ("value, 95%",))
    parts = {f"all {evaluation['rows']}": evaluation}
    parts |= {f"{name} {part['rows']}": part for name, part in evaluation["slices"].items()}
    for name, part in parts.items():
        if part["score"] is not None:
            table.add_row(name, "score (1 - mean loss)", estimate(part["score"], 4))
        for metric in part["metrics"]:
            table.add_row("", metric.replace("_", " "), estimate(part[metric], 4))
        table.add_section()
    return table


def evaluation_table(evaluation: Mapping[str, Any]) -> Table:
    """Accuracy of a classification, then precision, recall and F1 per class and averaged, each with its 95% interval.

    Args:
        evaluation: As `evertune.evaluation.Evaluation.to_json` gives it.
    """
    title = f"accuracy {estimate(evaluation['accuracy'])} on {evaluation['rows']} rows that the search never saw"
    table = plain_table(title, ("class",), ("rows", *_SCORES))
    for each in evaluation["classes"]:
        table.add_row(each["label"], str(each["support"]), *(estimate(each[name], 2) for name in _SCORES))
    table.add_section()
    for name, average in evaluation["averages"].items():
        table.add_row(f"{name} mean", "", *(estimate(average[score], 2) for score in _SCORES))
    return table


def confusion_table(evaluation: Mapping[str, Any]) -> Table:
    """Truths in rows, predictions in columns; columns are numbered as the rows are."""
    labels = [each["label"] for each in evaluation["classes"]]
    title = "confusion matrix: truth (rows) against prediction (columns)"
    table = plain_table(title, ("truth",), [str(number) for number in range(len(labels))])
    for number, (label, row) in enumerate(zip(labels, evaluation["confusion"], strict=True)):
        table.add_row(f"{number} {label}", *("" if count == 0 else str(count) for count in row))
    return table


def estimate(value: Mapping[str, Any], digits: int = 3) -> str:
    """A figure with its interval.

    Example:
        >>> estimate({"value": 0.8, "interval": {"lower": 0.75, "upper": 0.842}})
        '0.800 [0.750, 0.842]'
    """
    figures = (value["value"], value["interval"]["lower"], value["interval"]["upper"])
    return "{} [{}, {}]".format(*(f"{figure:.{digits}f}" for figure in figures))
