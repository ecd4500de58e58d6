"""All checks, each on its own: what one of them meets hinders no other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from cli.doctor.champions import examine_access, examine_champions, examine_task
from cli.doctor.finding import Finding
from cli.doctor.folders import examine_folders
from cli.doctor.jobs import examine_jobs
from cli.doctor.ledger import examine_ledger
from cli.doctor.packages import examine_packages
from cli.doctor.ports import examine_ports
from cli.doctor.runtime import examine_runtime
from cli.doctor.tools import examine_tools
from evertune.errors import EvertuneError
from evertune.settings import Project, load_project

_MACHINE = (("packages", examine_packages), ("onnxruntime", examine_runtime), ("tools", examine_tools))
_PROJECT: tuple[tuple[str, Callable[[Project], Iterator[Finding]]], ...] = (
    *(("task", examine_task), ("folders", examine_folders), ("ports", examine_ports)),
    *(("keys", examine_access), ("ledger", examine_ledger)),
)


def examine() -> Iterator[Finding]:
    """Looks at the machine, then at the project around the working folder."""
    for area, check in _MACHINE:
        yield from _guarded(area, check)
    try:
        project = load_project()
    except EvertuneError as error:
        yield Finding("settings", "problem", error.message, error.fix)
        return
    yield Finding("settings", "ok", f"{project.root / 'evertune.toml'} and the environment are valid")
    yield from _of_project(project)


def _of_project(project: Project) -> Iterator[Finding]:
    sound = True
    for area, check in _PROJECT:
        for finding in _guarded(area, partial(check, project)):
            sound = sound and not (finding.area == "ledger" and finding.state == "problem")
            yield finding
    if sound:
        yield from _guarded("champion", partial(examine_champions, project))
        yield from _guarded("jobs", partial(examine_jobs, project))


def _guarded(area: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    try:
        yield from check()
    except EvertuneError as error:
        yield Finding(area, "problem", error.message, error.fix)
    except Exception as error:  # a doctor that falls ill helps nobody
        text = f"the check itself failed: {type(error).__name__}: {error}"
        yield Finding(area, "problem", text, "Report this as a defect of Evertune.")
