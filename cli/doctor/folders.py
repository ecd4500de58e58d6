"""Whether the project's folders can be written."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cli.doctor.finding import Finding
from evertune.settings import Project

_LEAST_FREE_BYTES = 1_000_000_000  # a search keeps data and weights; SQLite wants room for its log


def examine_folders(project: Project) -> Iterator[Finding]:
    """State, bundles (where they are local), runs: a file is really written in each."""
    folders = {"state": project.state, "runs": project.runs}
    if "://" not in project.bundle_url.removeprefix("file://"):
        folders["bundles"] = Path(project.bundle_url.removeprefix("file://"))
    for name, folder in folders.items():
        yield _examine(name, folder)


def _examine(name: str, folder: Path) -> Finding:
    place = next(each for each in (folder, *folder.parents) if each.exists())  # it is made when first needed
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"evertune")
    except OSError as error:
        text = f"{folder} cannot be written: {error.strerror}"
        return Finding(f"folder {name}", "problem", text, f"sudo chown -R {_user()} {place}")
    free = shutil.disk_usage(place).free
    text = f"{folder} can be written, {free / 1e9:.1f} GB free"
    if free < _LEAST_FREE_BYTES:
        return Finding(f"folder {name}", "warning", text, "Free some space, or set project.state to another disk.")
    return Finding(f"folder {name}", "ok", text)


def _user() -> str:
    return f"{os.getuid()}:{os.getgid()}"
