"""Whether what is installed is what Evertune, and the libraries under it, ask for."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cli.doctor.finding import Finding

_PYTHON = ((3, 11), (3, 14))  # first that works, first that is not tested
_SHOWN = ("bentoml", "onnxruntime-gpu", "onnxruntime", "numpy", "keras", "torch", "tensorflow", "optuna")
_INSTALL = "pip install -c constraints.txt -e '.[tune]'  (in Evertune's checkout)"


def examine_packages(distribution: str = "evertune") -> Iterator[Finding]:
    """Python's version, then the whole tree of requirements, as `pip check` would, but of this project only."""
    text = f"Python {platform.python_version()}"
    if _PYTHON[0] <= sys.version_info[:2] < _PYTHON[1]:
        yield Finding("python", "ok", text)
    else:
        yield Finding("python", "warning", f"{text} is not tested", "Make an environment with Python 3.11 to 3.13.")
    try:
        mine = [Requirement(text) for text in requires(distribution) or []]
    except PackageNotFoundError:
        yield Finding("packages", "warning", f"{distribution} is not installed here, its files only", _INSTALL)
        return
    conflicts = list(_conflicts(mine, distribution))
    for text in conflicts:
        yield Finding("packages", "problem", text, _INSTALL)
    if not conflicts:
        yield Finding("packages", "ok", ", ".join(_versions(_SHOWN)))
    missing = [each.name for each in _of_extra(mine, "tune") if _installed(each.name) is None]
    if missing:
        yield Finding("packages", "warning", f"searching needs {', '.join(missing)}; serving does not", _INSTALL)


def _conflicts(mine: Iterable[Requirement], who: str) -> Iterator[str]:
    """Depth first through what is installed; each package once."""
    waiting = [(who, each) for each in mine if _applies(each)]
    waiting += [(f"{who}[tune]", each) for each in _of_extra(mine, "tune") if _installed(each.name) is not None]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        asker, wanted = waiting.pop()
        found = _installed(wanted.name)
        if found is None:
            yield f"{asker} needs {wanted.name}{wanted.specifier}, which is not installed"
            continue
        if not wanted.specifier.contains(found, prereleases=True):
            yield f"{asker} needs {wanted.name}{wanted.specifier}, installed is {found}"
        key = (canonicalize_name(wanted.name), frozenset(wanted.extras))
        if key not in seen:
            seen.add(key)
            below = (Requirement(text) for text in requires(wanted.name) or [])
            waiting += [(wanted.name, each) for each in below if _applies(each, wanted.extras)]


def _applies(requirement: Requirement, extras: Iterable[str] = ()) -> bool:
    if requirement.marker is None:
        return True
    return any(requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras))


def _of_extra(mine: Iterable[Requirement], extra: str) -> list[Requirement]:
    return [each for each in mine if not _applies(each) and _applies(each, [extra])]


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _versions(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        found = _installed(name)
        if found is not None:
            yield f"{name} {found}"
