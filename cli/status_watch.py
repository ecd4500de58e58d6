"""`evertune status --watch`: the picture of the status, again and again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from cli.output import local_time
from cli.status_text import draw_status

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_COUNTED = (("predicted_rows", "rows predicted"), ("labelled_rows", "labels"))


def watch_status(
    look: Callable[[], dict[str, Any]],
    interval_seconds: float,
    *,
    console: Console | None = None,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Looks and draws until Ctrl-C. A ledger that is away is told in place of the picture, and looked for again.

    Args:
        look: Where things stand, as `evertune status --json` has it.
        interval_seconds: Between two looks.
        console: Where it is drawn; None for stdout.
        sleep: Waits.
    """
    from rich.console import Console
    from rich.live import Live

    before: dict[str, Any] | None = None
    try:
        with Live(console=console or Console(), auto_refresh=False, vertical_overflow="visible") as live:
            while True:
                before, drawn = _draw(look, before)
                live.update(drawn, refresh=True)
                sleep(interval_seconds)
    except KeyboardInterrupt:
        return


def _draw(
    look: Callable[[], dict[str, Any]], before: dict[str, Any] | None
) -> tuple[dict[str, Any] | None, RenderableType]:
    from rich.console import Group
    from rich.text import Text

    from evertune.errors import LedgerError

    try:
        found = look()
    except LedgerError as error:
        return before, Text(f"{local_time(time.time())}  {error.message}", "bold red")
    foot = Text(f"{local_time(found['at'])}, Ctrl-C ends", "dim")
    return found, Group(draw_status(found, rates(before, found)), foot)


def rates(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> dict[str, str]:
    """What each model did between two looks, where its champion is the same.

    Example:
        >>> def look(at, rows):
        ...     window = {"predicted_rows": rows, "labelled_rows": 1}
        ...     return {"at": at, "models": [{"model": "m", "champion": {"sequence": 1}, "since_promotion": window}]}
        >>> rates(look(0.0, 10), look(2.0, 30))
        {'m': '10.0 rows predicted a second, 0.0 labels a second'}
    """
    if before is None or now["at"] <= before["at"]:
        return {}
    seconds = now["at"] - before["at"]
    earlier = {_reign(model): model["since_promotion"] for model in before["models"]}
    return {
        model["model"]: ", ".join(
            f"{(model['since_promotion'][key] - earlier[_reign(model)][key]) / seconds:.1f} {name} a second"
            for key, name in _COUNTED
        )
        for model in now["models"]
        if _reign(model) in earlier
    }


def _reign(model: Mapping[str, Any]) -> tuple[str, int]:
    return model["model"], model["champion"]["sequence"]
