from __future__ import annotations

import os
import re
import socket

import pytest

from cli.up.ports import check_ports
from cli.up.program import Program
from evertune.errors import SettingsError


def at(port: int, name: str = "serve", host: str = "127.0.0.1") -> Program:
    return Program(name, ["x"], (host, port), f"{name}.port", "/")


@pytest.fixture
def taken() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_port_in_use_is_named_with_its_setting_and_its_owner(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
        with pytest.raises(SettingsError, match=rf"{host}:{port}, where serve would listen, is in use by") as raised:
            check_ports([at(port, host=host)])
        assert f"(process {os.getpid()})" in raised.value.message
        assert raised.value.details == {"key": "serve.port", "value": port}
        assert re.search(r"set serve\.port to a free port", str(raised.value))


def test_free_ports_are_left_free(taken: int) -> None:
    for _ in range(2):
        check_ports([at(taken)])


def test_one_port_for_two_is_refused(taken: int) -> None:
    with pytest.raises(SettingsError, match=rf"monitor\.port is {taken}, which is serve\.port, too"):
        check_ports([at(taken), at(taken, "monitor")])


def test_a_port_that_the_system_would_choose_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"serve\.port is 0"):
        check_ports([at(0)])


def test_an_address_that_is_not_ours_is_refused(taken: int) -> None:
    with pytest.raises(SettingsError, match=r"192\.0\.2\.1:\d+, where serve would listen, cannot be had"):
        check_ports([at(taken, host="192.0.2.1")])
