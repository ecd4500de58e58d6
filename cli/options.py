"""What several commands share: options, and the form of their logs."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object to stdout, for programs.")]
Model = Annotated[str | None, typer.Option("--model", help="Name of the model. Needed only where there are several.")]
Study = Annotated[str, typer.Option("--study", help="Name of the search: a folder among the project's studies.")]
Reason = Annotated[str, typer.Option("--reason", help="Kept in the registry's history.")]

TARGETS = ("cpu", "cuda", "tensorrt")
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
