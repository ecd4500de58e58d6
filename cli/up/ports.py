"""Ports are looked at before anything starts: a half-started set of processes helps nobody."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable

import psutil

from cli.up.program import Program
from evertune.errors import SettingsError


def check_ports(programs: Iterable[Program]) -> None:
    """Refuses ports that cannot be listened on.

    Raises:
        SettingsError: A port is in use, asked for twice, left to the system (0), or not ours to take. Names it.
    """
    taken: dict[int, str] = {}
    for program in programs:
        port = program.address[1]
        if port == 0:
            raise _refusal(program, "is 0, so nobody would know where to ask")
        if port in taken:
            raise _refusal(program, f"is {port}, which is {taken[port]}, too")
        taken[port] = program.setting
        _try(program)


def _try(program: Program) -> None:
    host, port = program.address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        why = f"is in use{_holder(port)}" if error.errno == errno.EADDRINUSE else f"cannot be had: {error.strerror}"
        raise SettingsError(
            f"{host}:{port}, where {program.name} would listen, {why}",
            fix=f"Stop what listens there, or set {program.setting} to a free port{_without(program)}.",
            key=program.setting,
            value=port,
        ) from error


def _without(program: Program) -> str:
    return ", or add --no-prometheus" if program.setting.startswith("up.") else ""


def _holder(port: int) -> str:
    """Who listens there, as far as this user may know."""
    try:
        for found in psutil.net_connections("tcp"):
            if found.status == psutil.CONN_LISTEN and found.laddr.port == port and found.pid is not None:
                return f" by {psutil.Process(found.pid).name()} (process {found.pid})"
    except psutil.Error:
        pass
    return ""


def _refusal(program: Program, why: str) -> SettingsError:
    fix = f"Set {program.setting} to a port of its own."
    return SettingsError(f"{program.setting} {why}", fix=fix, key=program.setting, value=program.address[1])
