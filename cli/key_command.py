"""`evertune key`: who may call the server, and who signs bundles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.options import Json

if TYPE_CHECKING:
    from evertune.keys import Key, Keyring

app = typer.Typer(no_args_is_help=True, help="Create, list and revoke API keys; make a key that signs bundles.")


@app.command(epilog='Example: evertune key create "shop frontend" --role predict --role label')
def create(
    name: Annotated[str, typer.Argument(help="For people.")],
    role: Annotated[list[str] | None, typer.Option("--role", help="predict, label or admin; may be repeated.")] = None,
    json_output: Json = False,
) -> None:
    """Create a key and show its secret, once. Without --role it may predict and label."""
    from cli.output import print_json

    secret = _keyring().create(name, set(role or ("predict", "label")))
    if json_output:
        print_json({"name": name, "api_key": secret})
    else:
        print(f"{secret}\nIt is shown only now: keep it. Send it as 'Authorization: Bearer ...'.")


@app.command("list", epilog="Example: evertune key list --json")
def list_keys(json_output: Json = False) -> None:
    """List all keys, without their secrets."""
    from cli.output import print_json

    keys = [_public(key) for key in _keyring().list()]
    if json_output:
        print_json(keys)
        return
    for key in keys:
        state = "good" if key["revoked_at"] is None else "revoked"
        print(f"{key['id']}  {state:<8} {','.join(key['roles']):<16} {key['name']}")


@app.command(epilog="Example: evertune key revoke 0123456789ab")
def revoke(key_id: Annotated[str, typer.Argument(help="As `evertune key list` shows it.")]) -> None:
    """Make a key useless, for good. Running servers notice within a second."""
    key = _keyring().revoke(key_id)
    print(f"{key.id} ({key.name}) is revoked.")


@app.command(epilog="Example: evertune key signing ~/keys/evertune.pem")
def signing(
    file: Annotated[Path, typer.Argument(help="Of the private key; a new file, readable by you alone.")],
    json_output: Json = False,
) -> None:
    """Make an Ed25519 key pair that signs bundles."""
    from cli.output import print_json
    from evertune.bundle.trust import Signer

    public_key = Signer.create(file)
    if json_output:
        print_json({"signing_key": str(file), "public_key": public_key})
        return
    print(f'[bundles]\nsigning_key = "{file}"                # where bundles are sealed; keep it secret')
    print(f'require_signature_of = ["{public_key}"]  # where they are served')


def _keyring() -> Keyring:
    from evertune.keys import Keyring
    from evertune.settings import load_project

    return Keyring(load_project().keys_path)


def _public(key: Key) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "roles": sorted(key.roles),
        "created_at": key.created_at,
        "revoked_at": key.revoked_at,
    }
