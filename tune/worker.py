"""A worker process: `python -m tune.worker FD` with one end of a socket pair. It ends when the driver does."""

from __future__ import annotations

import os
import queue
import socket
import sys
import threading

from tune.channel import Channel, Message, broken
from tune.dataset import open_splits
from tune.plan import Plan


def main(descriptor: int) -> None:
    """Takes the plan, then trials, one at a time."""
    channel = Channel(socket.socket(fileno=descriptor))
    messages: queue.Queue[Message] = queue.Queue()
    threading.Thread(target=_listen, args=(channel, messages), daemon=True).start()

    def ask(message: Message) -> Message:
        channel.send(message)
        return messages.get()

    try:
        from tune.trial_runner import TrialRunner  # brings the framework

        setup = messages.get()
        os.chdir(setup["working_folder"])  # the process starts in our root, so that our `tune` is found first
        plan = Plan.from_json(setup["plan"])
        runner = TrialRunner(plan, open_splits(plan.data), setup["threads"], ask)
    except BaseException as error:
        channel.send(broken(error))
        raise
    channel.send({"type": "ready"})
    while True:
        channel.send(runner.run(messages.get()))


def _listen(channel: Channel, messages: queue.Queue[Message]) -> None:
    while (received := channel.receive()) is not None:
        for message in received:
            messages.put(message)
    os._exit(0)  # the driver is gone, or needs this worker no more: an epoch in progress has nobody to report to


if __name__ == "__main__":
    main(int(sys.argv[1]))
