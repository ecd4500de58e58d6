"""Runs the task's own code for the worker, which never imports it: `python -m retune.task_child`.

On its input: a line of JSON, then packed input tensors, or nothing. On its output: a line of JSON with the task's name,
or with an error, then packed masks of the guarded slices.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from evertune.errors import EvertuneError
from evertune.guarded import guarded_slices
from evertune.loading import load_task
from evertune.packing import pack, unpack


def main() -> int:
    """Answers one question."""
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what the task prints must not get into the answer
    words, packed = json.loads(sys.stdin.buffer.readline()), sys.stdin.buffer.read()
    os.chdir(words["working_folder"])  # the process starts in our root, so that our folders are found first
    masks = {}
    try:
        task = load_task(words["reference"], Path(words["root"]))
        if packed:
            masks = guarded_slices(task, unpack(packed))
        answer = {"name": task.name}
    except EvertuneError as error:
        answer = error.to_json()
    output.write(json.dumps(answer).encode() + b"\n" + pack(masks))
    output.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
