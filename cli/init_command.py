"""`evertune init`: a new project that works as it is."""

from __future__ import annotations

import enum
import lzma
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from cli.options import Json
from evertune.errors import InputError

_SCAFFOLD = Path(__file__).parent / "scaffold"
_EXAMPLES = Path(__file__).parents[1] / "examples"
_FILES = {
    "evertune.toml": "evertune.toml",
    "bentofile.yaml": "bentofile.yaml",
    "gitignore": ".gitignore",
}
_DATA = {  # what a preset's task learns until the user's own table stands there
    "text": ("sms_spam", "messages.csv"),
    "tabular": ("weather", "weather.csv"),
}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_PLACEHOLDER, _PART = "my-model", "PRESET"


class Preset(enum.StrEnum):
    """What a project starts from."""

    IMAGE = "image"
    TEXT = "text"
    RECOMMENDATION = "recommendation"
    TABULAR = "tabular"


def init(
    name: Annotated[Path, typer.Argument(metavar="NAME", help="Folder to make; its last part names the model.")],
    preset: Annotated[
        Preset, typer.Option("--preset", help="Kind of data: what the task reads, and which models it tries.")
    ] = Preset.IMAGE,
    json_output: Json = False,
) -> None:
    """Make a project: settings, a task to change, a bentofile, and an API key that is shown once.

    It works as it is: the task learns shipped excerpts of real data (clothes, text messages, weather) until you put in
    your own. A recommender waits for your interactions.csv.
    """
    from cli.output import print_json

    folder = name.resolve()
    secret = create_project(folder, preset)
    if json_output:
        print_json({"folder": str(folder), "model": folder.name, "preset": preset.value, "api_key": secret})
        return
    print(f"Made {folder}\n\nAPI key, shown only now: {secret}\n")
    first = "  # put your interactions.csv here: columns user, item\n" if preset is Preset.RECOMMENDATION else ""
    print(f"Next:\n  cd {name}\n{first}  evertune tune\n  evertune export --promote\n  bentoml serve")


def create_project(folder: Path, preset: Preset = Preset.IMAGE) -> str:
    """Makes the folder whole or not at all.

    Args:
        folder: Must be new or empty; its name becomes the model's.
        preset: What the task starts from.

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
        for target, text in _texts(preset):
            (staging / target).write_text(text.replace(_PLACEHOLDER, folder.name), encoding="utf-8")
        for target, content in _data(preset):
            (staging / target).write_bytes(content)
        secret = _create_key(staging)
        staging.rename(folder)  # over an empty folder too
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return secret


def _texts(preset: Preset) -> Iterator[tuple[str, str]]:
    """Files with the model's name in them."""
    for source, target in _FILES.items():
        yield target, (_SCAFFOLD / source).read_text(encoding="utf-8")
    yield "task.py", (_SCAFFOLD / preset / "task.py").read_text(encoding="utf-8")
    part = (_SCAFFOLD / preset / "README.md").read_text(encoding="utf-8").strip()
    yield "README.md", (_SCAFFOLD / "README.md").read_text(encoding="utf-8").replace(_PART, part)


def _data(preset: Preset) -> Iterator[tuple[str, bytes]]:
    """The excerpt that the task learns as made, unpacked, with its licence."""
    if preset not in _DATA:
        return
    folder, name = _DATA[preset]
    yield name, lzma.decompress((_EXAMPLES / folder / f"{name}.xz").read_bytes())
    yield f"{name}.LICENSE", (_EXAMPLES / folder / "LICENSE").read_bytes()


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
