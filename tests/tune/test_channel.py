from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tune.channel import Channel

Ends = tuple[Channel, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    ours, theirs = socket.socketpair()
    channel = Channel(ours)
    yield channel, theirs
    channel.close()
    theirs.close()


def test_messages_arrive_whole_whatever_the_pieces_they_come_in(ends: Ends) -> None:
    channel, other = ends
    received = []
    for piece in (b'{"type":"re', b'ady"}\n{"type":"epoch","step"', b':1}\n{"ty', b'pe":"ended"}\n'):
        other.sendall(piece)
        received.append(channel.receive())
    assert received == [[], [{"type": "ready"}], [{"type": "epoch", "step": 1}], [{"type": "ended"}]]


def test_the_end_of_the_other_process_is_the_end_of_the_stream(ends: Ends) -> None:
    channel, other = ends
    other.close()
    assert channel.receive() is None
    with pytest.raises(OSError, match="Broken pipe"):
        channel.send({"type": "go"})


def test_a_process_that_dies_with_messages_unread_is_no_error(ends: Ends) -> None:
    channel, other = ends
    channel.send({"type": "go"})
    other.close()
    assert channel.receive() is None
