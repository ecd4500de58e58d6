"""Searches of a project as they stand, from their journals: also those that another process runs now."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from cli.search_text import draw_search, summary
from cli.times import duration

_OF_A_JOB = re.compile(r"retune-\d+-\d+")  # what `retune.phases.search` calls its studies
_Seen = tuple[int, int]  # size and time of change


class Searches:
    """Reads a journal again only where it has changed.

    Args:
        studies: Folder of studies.
    """

    def __init__(self, studies: Path) -> None:
        self._studies = studies
        self._read: dict[str, tuple[_Seen, Any]] = {}

    def look(self, now: float) -> list[dict[str, Any]]:
        """What `tune.standing.Standing.to_json` tells of each, with its name and whether it runs now.

        Args:
            now: Seconds since the epoch.
        """
        paths = sorted(self._studies.glob("*/journal.jsonl"))
        return [found for path in paths if (found := self._look(path, now)) is not None]

    def _look(self, path: Path, now: float) -> dict[str, Any] | None:
        from evertune.errors import SearchError
        from tune.folder_lock import is_locked

        running = is_locked(path.parent)
        try:
            standing = self._standing(path)
        except SearchError:  # a damaged journal must not hide the rest of the picture
            return None
        return {"study": path.parent.name, "running": running, **standing.to_json(now if running else None)}

    def _standing(self, path: Path) -> Any:
        from tune.journal import read_entries
        from tune.standing import Standing

        stat = path.stat()
        seen = (stat.st_size, stat.st_mtime_ns)
        before = self._read.get(path.parent.name)
        if before is None or before[0] != seen:
            before = self._read[path.parent.name] = seen, Standing(read_entries(path)[0])
        return before[1]


def draw_found(found: Mapping[str, Any]) -> RenderableType:
    """A search that has not come to its end."""
    if found["running"]:
        head = f"search {found['study']} runs for {duration(found['seconds'])} with {found['workers']} workers"
        return Group(Text(head, "bold"), draw_search(found))
    again = _command(found["study"])
    ended = f"{found['counted_trials']} of {found['max_trials'] or '?'} trials ended"
    return Text(f"search {found['study']} was interrupted: {ended} ({summary(found)}); {again} goes on", "yellow")


def _command(study: str) -> str:
    """That goes on with a study."""
    if _OF_A_JOB.fullmatch(study):
        return "evertune retune"  # its worker: the job is still open
    return "evertune tune" if study == "main" else f"evertune tune --study {study}"
