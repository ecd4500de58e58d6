"""`evertune init`: a new project that works as it is."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from cli.options import Json
from evertune.errors import InputError

_SCAFFOLD = Path(__file__).parent / "scaffold"
_FILES = {
    "evertune.toml": "evertune.toml",
    "task.py": "task.py",
    "bentofile.yaml": "bentofile.yaml",
    "README.md": "README.md",
    "gitignore": ".gitignore",
}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_PLACEHOLDER = "my-model"


def init(
    name: Annotated[Path, typer.Argument(metavar="NAME", help="Folder to make; its last part names the model.")],
    json_output: Json = False,
) -> None:
    """Make a project: settings, a task to change, a bentofile, and an API key that is shown once.

    It works as it is: the task learns a shipped excerpt of Fashion-MNIST until you put in your own data.
    """
    from cli.output import print_json

    folder = name.resolve()
    secret = create_project(folder)
    if json_output:
        print_json({"folder": str(folder), "model": folder.name, "api_key": secret})
        return
    print(f"Made {folder}\n\nAPI key, shown only now: {secret}\n")
    print(f"Next:\n  cd {name}\n  evertune tune\n  evertune export --promote\n  bentoml serve")


def create_project(folder: Path) -> str:
    """Makes the folder whole or not at all.

    Returns:
        The secret of a new API key that may predict and label.

    Raises:
        InputError: The name is no model name, or something is there already.
    """
    _check(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        staging.chmod(0o755)  # mkdtemp makes it ours alone
        for source, target in _FILES.items():
            text = (_SCAFFOLD / source).read_text(encoding="utf-8")
            (staging / target).write_text(text.replace(_PLACEHOLDER, folder.name), encoding="utf-8")
        secret = _create_key(staging)
        staging.rename(folder)  # over an empty folder too
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return secret


def _check(folder: Path) -> None:
    if not _NAME.fullmatch(folder.name):
        raise InputError(
            f"{folder.name!r} cannot name a model",
            fix="Start with a letter; use letters, digits, '-' and '_', 63 at most.",
            name=folder.name,
        )
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise InputError(f"{folder} is there already", fix="Choose another name; nothing is overwritten.")


def _create_key(project_folder: Path) -> str:
    from evertune.keys import Keyring
    from evertune.settings import load_project

    return Keyring(load_project(project_folder).keys_path).create("made by evertune init", {"predict", "label"})
