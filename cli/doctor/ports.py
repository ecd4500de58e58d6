"""Whether the project's ports are free, and if not, whose they are."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import psutil

from cli.doctor.finding import Finding
from evertune.settings import Project


def examine_ports(project: Project) -> Iterator[Finding]:
    """Of server, exporter and webhook."""
    settings = project.settings
    for name, section in (("serve", settings.serve), ("monitor", settings.monitor), ("retune", settings.retune)):
        yield examine_port(name, section.host, section.port)


def examine_port(name: str, host: str, port: int) -> Finding:
    """Binds it for a moment. A process of Evertune's own is welcome there.

    Args:
        name: Section of the settings.
        host: Address to listen on.
        port: 0 lets the system choose.
    """
    area = f"port {name}"
    if port == 0:
        return Finding(area, "ok", "any free port")
    try:
        with socket.create_server((host, port)):
            return Finding(area, "ok", f"{host}:{port} is free")
    except PermissionError:
        return Finding(area, "problem", f"{host}:{port} needs privileges", f"Set {name}.port above 1023.")
    except OSError as error:
        owner = _owner(port)
        if owner is not None and _is_ours(owner):
            return Finding(area, "ok", f"{host}:{port} is served by {_shown(owner)}")
        whose = "another process" if owner is None else _shown(owner)
        text = f"{host}:{port} is taken by {whose}" if owner else f"{host}:{port}: {error.strerror}"
        return Finding(area, "problem", text, f"Stop it, or run with EVERTUNE_{name.upper()}__PORT={port + 1}.")


def _owner(port: int) -> psutil.Process | None:
    """Who listens there; None where this user may not know."""
    try:
        for each in psutil.net_connections("tcp"):
            if each.status == psutil.CONN_LISTEN and each.laddr.port == port and each.pid:
                return psutil.Process(each.pid)
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        return None
    return None


def _words(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        return []


def _is_ours(process: psutil.Process) -> bool:
    """By the names of programs and modules, not by their folders: a checkout may be called evertune."""
    names = [word.rpartition("/")[2] for word in _words(process)]
    return any(ours in name for name in names for ours in ("evertune", "bentoml"))


def _shown(process: psutil.Process) -> str:
    command = " ".join(word.rpartition("/")[2] for word in _words(process)[:3])
    return f"{command or 'a process'} (pid {process.pid})"
