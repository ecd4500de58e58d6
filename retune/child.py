"""The process that builds a challenger: `python -m retune.child`, with an order as one line of JSON on its input."""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from pathlib import Path

from evertune.errors import EvertuneError
from evertune.files import write_atomic
from evertune.settings import Project, Settings
from retune.building import ERROR, RESULT
from retune.challenger import Order
from retune.lifeline import die_with


def main() -> int:
    """Builds, and leaves the result, or the error, in the order's folder."""
    words = json.loads(sys.stdin.buffer.readline())
    die_with(sys.stdin.fileno())
    os.chdir(words["working_folder"])  # the process starts in our root, so that our folders are found first
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    project = Project(Path(words["root"]), Settings(**words["settings"]))
    order = Order(project, int(words["job_id"]), Path(words["folder"]))
    from retune.making import make_challenger  # brings the training framework in

    try:
        made = make_challenger(order)
    except EvertuneError as error:
        traceback.print_exc()
        write_atomic(order.folder / ERROR, json.dumps(error.to_json()).encode())
        return error.exit_code
    write_atomic(order.folder / RESULT, json.dumps(made.to_json()).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
