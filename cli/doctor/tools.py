"""Programs beside Python."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from cli.doctor.finding import Finding

# By what it is for: names under which distributions know it, and Debian's package.
_WATCHING = (
    ("prometheus", ("prometheus",), "prometheus"),
    ("promtool", ("promtool",), "prometheus"),
    ("alertmanager", ("alertmanager", "prometheus-alertmanager"), "prometheus-alertmanager"),
)


def examine_tools(path: str | None = None) -> Iterator[Finding]:
    """BentoML's command, which serves; Prometheus and Alertmanager, which watch and are not needed to serve.

    Args:
        path: Searched in place of $PATH.
    """
    beside = str(Path(sys.executable).parent)  # where this environment's commands are, activated or not
    if shutil.which("bentoml", path=path) or shutil.which("bentoml", path=beside):
        yield Finding("bentoml", "ok", "the command is there")
    else:
        yield Finding("bentoml", "problem", "the command `bentoml` is missing", "pip install 'bentoml>=1.4.39'")
    for name, commands, package in _WATCHING:
        found = next((place for each in commands if (place := shutil.which(each, path=path))), None)
        if found is not None:
            yield Finding(name, "ok", found)
        else:
            text = f"not installed: {'alert rules cannot be checked' if name == 'promtool' else 'no alerts'}"
            yield Finding(name, "warning", text, f"sudo apt-get install {package}")
