"""Stands between the supervisor and one program: `python keeper.py COMMAND...`, with the supervisor's pipe as input.

It leads a process group. When the supervisor dies, however it dies, the kernel closes the pipe, and the keeper kills
the group: a program that is not ours cannot watch a pipe, and its own children would outlive it.
"""

from __future__ import annotations

import signal
import subprocess
import sys

from retune.lifeline import die_with

_SHELL_SIGNAL = 128  # what shells add to a signal's number


def main(command: list[str]) -> int:
    """Runs the command, hands signals on, and returns how it ended."""
    try:
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    except OSError as error:
        print(f"{command[0]} does not start: {error}", file=sys.stderr)
        return 127
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _: child.send_signal(got))
    die_with(sys.stdin.fileno())
    status = child.wait()
    return status if status >= 0 else _SHELL_SIGNAL - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
