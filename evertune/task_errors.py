"""What a user's own code raised."""

from __future__ import annotations

import traceback
from pathlib import Path

from evertune.errors import TaskError


def explain_in_task(error: BaseException, path: Path, doing: str) -> TaskError:
    """A `TaskError` for what the user's own code raised, naming the last line of that file that was running."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
    line = frames[-1].lineno if frames else getattr(error, "lineno", None)
    where = f"{path}, line {line}" if line else str(path)
    return TaskError(
        f"{where}: {doing}: {type(error).__name__}: {error}", fix="Correct the task file.", file=str(path), line=line
    )
