"""What `--warm-from` means: a study, or a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evertune.settings import Project
    from tune import WarmStart


def warm_start_from(reference: str, project: Project) -> WarmStart:
    """What an earlier search found.

    Args:
        reference: Name of one of the project's studies, or a study's folder; else a bundle: its folder, its digest, or
            a model whose champion it is.
        project: Of the search.

    Raises:
        InputError: It is none of these, or a bundle that was not tuned.
        SearchError: No trial of that study completed.
    """
    from cli.bundles import the_bundle
    from evertune.errors import InputError
    from tune import WarmStart, load_study
    from tune.study import JOURNAL

    for folder in (project.studies / reference, Path(reference)):
        if (folder / JOURNAL).is_file():
            return WarmStart.of_study(load_study(folder.resolve()))
    found = WarmStart.of_bundle(the_bundle(reference), project.studies)
    if not found.hyperparameters:
        raise InputError(
            f"bundle {reference} has no hyperparameters: it was exported from a file, or sealed without its training",
            fix="Name a bundle that `evertune tune` and `evertune export` made, or a study.",
        )
    return found
