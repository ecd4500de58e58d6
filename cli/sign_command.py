"""`evertune sign`: vouches for a bundle."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import Json


def sign(
    digest: Annotated[str, typer.Argument(help="Of a bundle in the store; eight or more first digits are enough.")],
    json_output: Json = False,
) -> None:
    """Sign a bundle of the store, with its attestation and training files, by the key that bundles.signing_key names.

    What is sealed while that is set is signed already. This is for bundles of before, of another machine, or of a key
    that another one replaces.
    """
    from cli.output import print_json
    from evertune.bundle import BundleStore
    from evertune.settings import load_project

    public_key = BundleStore.of(load_project()).sign(digest)
    if json_output:
        print_json({"digest": digest, "public_key": public_key})
    else:
        print(f"{digest[:12]} is signed by {public_key}.")
