"""`evertune inspect`: what a bundle is."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import Json

BUNDLE_HELP = "A bundle's folder, 8 or more digits of its digest, or the name of a model: its champion."


def inspect(
    bundle: Annotated[str, typer.Argument(help=BUNDLE_HELP)],
    json_output: Json = False,
) -> None:
    """Show a bundle: signature, graph, files, candidates, evaluation, hardware, lineage.

    Every file is held against its hash while it is read; nothing of the bundle is run.
    """
    from cli.bundles import the_bundle
    from cli.inspect.facts import bundle_facts
    from cli.output import print_json

    facts = bundle_facts(the_bundle(bundle))
    if json_output:
        print_json(facts)
        return
    from rich.console import Console

    from cli.inspect.text import bundle_text

    console = Console()
    for part in bundle_text(facts):
        console.print(part, highlight=False)
